"""Comparison: ranks of every system on every list, a table of them, and what one gains over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rejoinder.progress import track
from stages.benchmark.systems import System
from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import LISTS, Floats, Ranks, bootstrap_interval, ranks, summarize

#: How far up the gold reply must be in each list: of a whole pool hardly anything puts it first.
AT = {"random": 1, "hard": 1, "full": 10}
#: Ranks, int64 [items], by system and list.
Found = dict[str, dict[str, Ranks]]


def evaluate(systems: dict[str, System], candidates: Candidates) -> Found:
    """Rank the gold replies with every system on every list.

    Args:
        systems: by name, computed one after the other.
        candidates: the fixed lists.

    Returns:
        Ranks, int64 [items], by system and list.
    """
    found = {}
    for name, system in track(systems.items(), "benchmark: ranking", "system"):
        scores = system()
        found[name] = {kind: ranks(scores, candidates, kind) for kind in LISTS}
    return found


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are made.

    Attributes:
        conversations: of each item.
        rounds: resamples.
        seed: of the draws.
    """

    conversations: Sequence[str]
    rounds: int
    seed: int

    def interval(self, values: Floats, weights: Floats | None = None) -> dict[str, float]:
        """The 95% interval of the mean of float64 [items], each of a weight: `low` and `high`."""
        how: Any = {"rounds": self.rounds, "seed": self.seed, "weights": weights}
        low, high = bootstrap_interval(values, self.conversations, **how)
        return {"low": low, "high": high}


def table(found: Found, bootstrap: Bootstrap) -> list[dict[str, object]]:
    """One row a system and list, for a table or a plot: R@1 with its 95% interval, R@10, MRR."""
    return [
        {"list": kind, "system": system, **summarize(rank), **bootstrap.interval((rank <= 1).astype(np.float64))}
        for system, by_list in found.items()
        for kind, rank in by_list.items()
    ]


def gain(better: Ranks, worse: Ranks, bootstrap: Bootstrap, k: int = 1) -> dict[str, float]:
    """Difference of R@k between two systems on the same items, with its 95% interval.

    Args:
        better: ranks of the one, int64 [items].
        worse: ranks of the other, int64 [items].
        bootstrap: makes the interval.
        k: how far up the gold reply must be.

    Returns:
        difference, low, high.
    """
    difference = (better <= k).astype(np.float64) - (worse <= k)
    return {"difference": float(difference.mean()), **bootstrap.interval(difference)}


def gains(found: Found, bootstrap: Bootstrap) -> dict[str, Any]:
    """R@k of one system over another on each list, by pair of systems and list; k is `AT` the list."""
    compared = [("teacher", "untuned"), ("student", "teacher"), ("served", "teacher"), ("served", "untuned")]
    compared += [("served", "champion")] if "champion" in found else []
    compared += [(name, "served") for name in found if name.startswith("served_")]
    return {
        f"{a}_over_{b}": {kind: gain(found[a][kind], found[b][kind], bootstrap, k) for kind, k in AT.items()}
        for a, b in compared
        if a in found
    }


def by_system(rows: list[dict[str, object]]) -> dict[str, dict[str, Any]]:
    """The rows of `table` as one tree, by list and system."""
    nested: dict[str, dict[str, Any]] = {}
    for row in rows:
        values = {key: value for key, value in row.items() if key not in ("list", "system")}
        nested.setdefault(str(row["list"]), {})[str(row["system"])] = values
    return nested
