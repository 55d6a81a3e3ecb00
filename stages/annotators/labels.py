"""Labels: what a head learns from and what it is measured by, from a file, a rule, or people's reactions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rejoinder.text import normalize
from stages.common.errors import DataError

if TYPE_CHECKING:
    import polars as pl

HELD_OUT = "held-out"
#: Where a rule or a reaction is learnt, and where its head is measured.
_SPLITS = ("train", "validation")
_QUESTION, _SIGNS = re.compile(r"\?[\s!?.\")]*$"), re.compile(r"[\s!?.\")]+$")
_FUNNY = "funny"


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Labelled turns.

    Attributes:
        texts: n turns.
        numbers: int64 [n], their labels.
        groups: n names; what bears the same name is drawn together in a bootstrap.
    """

    texts: list[str]
    numbers: npt.NDArray[np.int64]
    groups: list[str]


class Wanted(NamedTuple):
    """What is wanted of a source: for which head, its labels as params name them, how many turns, and a seed."""

    name: str
    labels: Sequence[str]
    most: int
    seed: int


class Sources(NamedTuple):
    """Where labels come from: files of labelled turns, and the pairs of the stage `dialogues`."""

    annotations: Path
    pairs: Path


def from_files(wanted: Wanted, sources: Sources) -> tuple[Labelled, Labelled]:
    """Read what people wrote for a head: NAME.yaml, and held-out/NAME.yaml by another hand.

    Args:
        wanted: of the head; turns of a label that are used, the first ones.
        sources: with the folder of the files.

    Returns:
        What is learnt, and what the head is measured by.

    Raises:
        DataError: if a file is missing, is something else, or has other labels; if a turn stands in both.
    """
    name = wanted.name
    learnt, judged = (
        _read(folder / f"{name}.yaml", wanted.labels, wanted.most)
        for folder in (sources.annotations, sources.annotations / HELD_OUT)
    )
    known = {normalize(text) for text in learnt.texts}
    if shared := sum(normalize(text) in known for text in judged.texts):
        raise DataError(
            f"{sources.annotations / HELD_OUT / name}.yaml: expected turns that are not learnt, got {shared}"
        )
    return learnt, judged


def _read(path: Path, labels: Sequence[str], most: int) -> Labelled:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))["labels"]
        given = {str(label): list(texts) for label, texts in found.items()}
    except FileNotFoundError:
        raise DataError(
            f"{path}: expected labelled turns, got no such file. Next: write it, or drop the head"
        ) from None
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: expected `labels` with turns of each, got {type(error).__name__}") from None
    problems = [f"label {label!r} is not among those of params.yaml" for label in given if label not in labels]
    problems += [f"no turns of label {label!r}" for label in labels if not given.get(label)]
    problems += [
        f"{label}, turn {number}: expected text, got something else (quote yes, no and numbers)"
        for label, texts in given.items()
        for number, text in enumerate(texts, 1)
        if not isinstance(text, str) or not text.strip()
    ]
    if problems:
        raise DataError("\n".join([f"{path}: labels that cannot be used", *(f"  - {p}" for p in problems[:40])]))
    rows = [(text, number) for number, label in enumerate(labels) for text in given[label][:most]]
    texts = [text for text, _ in rows]
    return Labelled(texts, np.array([number for _, number in rows], np.int64), [str(n) for n in range(len(rows))])


def from_question_marks(wanted: Wanted, sources: Sources) -> tuple[Labelled, Labelled]:
    """Take the writer's own question mark for a label, and hide it: a weak rule, for many type none.

    Args:
        wanted: of the head; turns that are drawn of each split.
        sources: with the pairs.

    Returns:
        Turns of the training split without their last signs, and of the validation split.
    """
    import polars as pl

    def turns(pairs: pl.DataFrame) -> Labelled:
        rows = pairs.select(pl.col("context").list.last().alias("text"), "conversation_id").unique(
            "text", maintain_order=True
        )
        kept = [(text, _SIGNS.sub("", text), group) for text, group in rows.iter_rows()]
        kept = [row for row in kept if row[1].strip()]
        numbers = np.array([bool(_QUESTION.search(text)) for text, _, _ in kept], np.int64)
        return Labelled([bare for _, bare, _ in kept], numbers, [group for _, _, group in kept])

    return _of_splits(wanted, sources, turns)


def from_laughter(wanted: Wanted, sources: Sources) -> tuple[Labelled, Labelled]:
    """Take people's reaction "funny" to a reply for a label, in conversations where there is any.

    Args:
        wanted: of the head; replies that are drawn of each split.
        sources: with the pairs.

    Returns:
        Replies of the training split, and of the validation split.
    """
    import polars as pl

    def replies(pairs: pl.DataFrame) -> Labelled:
        is_funny = pl.col("reaction") == _FUNNY
        reacted = pairs.filter(is_funny.any().over("conversation_id"))
        rows = reacted.select("reply", is_funny.fill_null(value=False).alias("funny"), "conversation_id")
        return Labelled(
            rows["reply"].to_list(), rows["funny"].cast(pl.Int64).to_numpy(), rows["conversation_id"].to_list()
        )

    return _of_splits(wanted, sources, replies)


def _of_splits(
    wanted: Wanted, sources: Sources, label: Callable[[pl.DataFrame], Labelled]
) -> tuple[Labelled, Labelled]:
    import polars as pl

    if len(wanted.labels) != 2:
        raise DataError(
            f"annotators.heads.{wanted.name}.labels: expected two, without and with, got {len(wanted.labels)}"
        )
    columns = ["pair_id", "conversation_id", "split", "context", "reply", "reaction"]
    pairs = pl.read_parquet(sources.pairs, columns=columns).sort("pair_id")
    return tuple(  # type: ignore[return-value]
        _drawn(label(pairs.filter(pl.col("split") == split)), wanted) for split in _SPLITS
    )


def _drawn(found: Labelled, wanted: Wanted) -> Labelled:
    size = len(found.texts)
    draw = np.random.default_rng(wanted.seed)
    rows = np.sort(draw.choice(size, min(wanted.most, size), replace=False)).astype(int)
    return Labelled([found.texts[n] for n in rows], found.numbers[rows], [found.groups[n] for n in rows])


Reader = Callable[[Wanted, Sources], tuple[Labelled, Labelled]]
#: Where a head's labels may come from.
SOURCES: dict[str, Reader] = {"file": from_files, "question-mark": from_question_marks, "laughter": from_laughter}
#: Sources whose labels are guesses.
WEAK: frozenset[str] = frozenset({"question-mark"})


def one_class(labelled: Labelled) -> bool:
    """Whether all labels are the same: then there is nothing to learn."""
    return len(set(labelled.numbers.tolist())) < 2


def describe(labelled: Labelled, labels: Sequence[str]) -> dict[str, Any]:
    """How many turns there are of each label."""
    return {label: int((labelled.numbers == number).sum()) for number, label in enumerate(labels)}
