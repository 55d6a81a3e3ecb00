"""Slices: what a refreshed release gains on conversations that are new, and loses on those that are not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from rich.table import Table

from flows.workspace import Workspace
from rejoinder.errors import RejoinderError
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.opened import OpenRelease
from stages.benchmark.comparison import Bootstrap, gain
from stages.benchmark.systems import Encode, heads_scores
from stages.common.turn_vectors import TurnVectors
from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import Ranks, ranks

_ROUNDS, _SEED = 2000, 1


@dataclass(frozen=True, slots=True)
class Before:
    """The test conversations of a build before it is refreshed; kept in memory, for nobody may be erased from it.

    Attributes:
        lists: the fixed lists; None if there was no whole build.
        conversations: all that the lists could be drawn from.
    """

    lists: Candidates | None
    conversations: frozenset[str]

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        """Read them."""
        folder = workspace.dialogues.parent
        try:
            lists = Candidates.load(folder / "test")
            pairs = pl.scan_parquet(folder / "pairs.parquet").filter(split="test")
            known = pairs.select("conversation_id").unique().collect()["conversation_id"]
        except (OSError, pl.exceptions.PolarsError):  # none, or one of before
            return cls(None, frozenset())
        return cls(lists, frozenset(known.to_list()))


def compare(before: Before, workspace: Workspace, old: OpenRelease, new: OpenRelease) -> Table:
    """Rank the same items by two releases of one encoder.

    Args:
        before: the build before.
        workspace: the build now.
        old: the champion of before.
        new: the refreshed release.

    Returns:
        A row for the old conversations, by the old lists, and one for the new ones.
    """
    table = Table("R@1 of 100, test", "items", str(old.release), str(new.release), "change", "95%")
    lists = Candidates.load(workspace.dialogues.parent / "test")
    known = pl.col("conversation_id").is_in(sorted(before.conversations))
    slices = {
        "conversations of before": before.lists,
        "new conversations": replace(lists, items=lists.items.filter(~known)),
    }
    encode = _encode(workspace, new)
    for name, wanted in slices.items():
        if wanted is None or wanted.items.is_empty():
            table.add_row(name, "0", "-", "-", "-", "-")
            continue
        found = [_ranks(release, encode, wanted) for release in (old, new)]
        bootstrap = Bootstrap(wanted.items["conversation_id"].to_list(), _ROUNDS, _SEED)
        change = gain(found[1], found[0], bootstrap)
        rates = [f"{(rank <= 1).mean():.4f}" for rank in found]
        interval = f"{change['low']:+.4f} to {change['high']:+.4f}"
        table.add_row(name, str(len(wanted.items)), *rates, f"{change['difference']:+.4f}", interval)
    return table


def _ranks(release: OpenRelease, encode: Encode, lists: Candidates) -> Ranks:
    if release.heads is None:
        raise RejoinderError(f"{release.release}: expected a release with heads, got one without")
    return ranks(heads_scores(encode, release.heads, lists), lists, "random")


def _encode(workspace: Workspace, release: OpenRelease) -> Encode:
    """The vectors that the build holds; of turns that only the build before had, by the model."""
    turns = TurnVectors(workspace.build / "turns", release.vectorizer.id)

    def encode(texts: list[str]) -> Vectors:
        rows = turns.table.rows_of(texts)
        vectors = np.empty((len(texts), turns.dim), np.float32)
        vectors[rows >= 0] = turns.table.vectors(rows[rows >= 0])
        if missing := [row for row, found in enumerate(rows) if found < 0]:
            vectors[missing] = release.vectorizer.encode([texts[row] for row in missing])
        return vectors

    return encode
