"""Annotators: labelled turns + model -> small heads on turn vectors, each measured -> the annotators bundle.

A head that does not beat guessing, length and a bag of words, or stays below its floor, is left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from stages.common.output import atomic_directory, write_json
from stages.common.params import StageParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rejoinder.parts.vectorizer import Vectorizer
    from stages.annotators.heads import Head
    from stages.annotators.labels import Labelled, Sources
    from stages.common.turn_vectors import TurnVectors

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class HeadParams(StageParams):
    """One head."""

    labels: list[str] = Field(min_length=2)
    """What it tells apart; of a rule and of a reaction: without it, and with it."""
    source: Literal["file", "question-mark", "laughter"]
    """Where labels come from: data/annotations/NAME.yaml, the writers' question marks (weak), people's laughter."""
    metric: Literal["accuracy", "macro_f1", "auc"]
    """How it is measured, on turns that it has not learnt."""
    floor: float = Field(ge=0, le=1)
    """Below this figure it is left out."""


class Params(StageParams):
    """The heads, and how they are fitted."""

    heads: dict[str, HeadParams] = Field(min_length=1)
    """By name; a new head is one entry here, and a file of labels where it learns from one."""
    strength: float = Field(gt=0)
    """Inverse of the penalty on the squared weights."""
    most_written: int = Field(ge=2)
    """Turns of a label that are used of a file; fewer make a small build quick."""
    most_drawn: int = Field(ge=2)
    """Turns that are drawn where labels come from logs."""
    seed: int
    """Of that draw."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if strange := [name for name in self.heads if not _NAME.fullmatch(name)]:
            raise ValueError(f"expected lower-case words joined by hyphens, got {', '.join(map(repr, strange))}")
        if doubled := [name for name, head in self.heads.items() if len(set(head.labels)) < len(head.labels)]:
            raise ValueError(f"expected each label once, got one twice in {', '.join(doubled)}")
        return self


def read_labels(params: Params, sources: Sources) -> dict[str, tuple[Labelled, Labelled]]:
    """Read what every head learns from and what it is measured by.

    Args:
        params: section `annotators`.
        sources: of labels.

    Returns:
        Both by head.

    Raises:
        DataError: if labels cannot be read; names every head.
    """
    from stages.annotators.labels import SOURCES, Wanted
    from stages.common.errors import DataError

    read, problems = {}, []
    for name, head in params.heads.items():
        most = params.most_written if head.source == "file" else params.most_drawn
        try:
            read[name] = SOURCES[head.source](Wanted(name, head.labels, most, params.seed), sources)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    return read


def fit_heads(
    params: Params, sources: Sources, vectorizer: Vectorizer, known: TurnVectors
) -> tuple[dict[str, Head], dict[str, Any]]:
    """Fit every head.

    Args:
        params: section `annotators`.
        sources: of labels.
        vectorizer: the exported one.
        known: its vectors of all turns.

    Returns:
        The heads that are worth it, and the figures of all.

    Raises:
        DataError: if labels cannot be read; names every head.
    """
    from stages.annotators.heads import fit_head
    from stages.annotators.labels import WEAK, describe, one_class
    from stages.annotators.vectors import vectors_of

    kept: dict[str, Head] = {}
    told: dict[str, Any] = {}
    for name, (learnt, judged) in read_labels(params, sources).items():
        if one_class(learnt) or one_class(judged):  # nothing is wrong with logs in which nobody laughs
            told[name] = {"is_kept": False, "why": "expected several labels to learn and to measure, got one"}
            continue
        head = params.heads[name]
        pairs = [(part, vectors_of(part.texts, vectorizer, known)) for part in (learnt, judged)]
        fitted = fit_head(pairs[0], pairs[1], len(head.labels), head.metric, params.strength)
        is_kept = fitted.is_worth_it and fitted.figures["figure"] >= head.floor
        if is_kept:
            kept[name] = fitted
        told[name] = {
            "metric": head.metric,
            **fitted.figures,
            "is_kept": is_kept,
            "is_weak": head.source in WEAK,
            "learnt": describe(learnt, head.labels),
            "judged": describe(judged, head.labels),
        }
    return kept, told


def unknown_files(annotations: Path, heads: Mapping[str, HeadParams]) -> list[str]:
    """Label files that no head reads: a head that was forgotten in params.yaml, or a slip in its name."""
    wanted = {name for name, head in heads.items() if head.source == "file"}
    return sorted(path.name for path in annotations.glob("*.yaml") if path.stem not in wanted)


def run(
    params: Params,
    *,
    annotations: Path = Path("data/annotations"),
    dialogues: Path,
    export: Path,
    turns: Path,
    out: Path,
) -> None:
    """Build the annotators bundle.

    Args:
        params: section `annotators`.
        annotations: folder of label files.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        turns: output of the stage `turns`.
        out: directory to make: annotators/ (the bundle), metrics.json.

    Raises:
        DataError: if labels cannot be used, or no head is worth it.
    """
    from rejoinder.parts import ANNOTATORS, VECTORIZER
    from rejoinder.parts.opened import open_model
    from stages.annotators.bundle import write_bundle
    from stages.annotators.labels import WEAK, Sources
    from stages.common.errors import DataError
    from stages.common.turn_vectors import TurnVectors

    if strange := unknown_files(annotations, params.heads):
        listed = ", ".join(strange)
        raise DataError(f"{annotations}: expected a head in params.yaml for each file, got none for {listed}")
    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    known = TurnVectors(turns, vectorizer.id)
    kept, told = fit_heads(params, Sources(annotations, dialogues / "pairs.parquet"), vectorizer, known)
    if not kept:
        raise DataError("annotators: expected a head that beats its baselines, got none; next: see the labels")
    with atomic_directory(out) as directory:
        about = {
            name: {"labels": head.labels, "is_weak": head.source in WEAK}
            for name, head in params.heads.items()
            if name in kept
        }
        write_bundle(directory / ANNOTATORS.bundle, kept, about, vectorizer)
        write_json(directory / "metrics.json", told)
