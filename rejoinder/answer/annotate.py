"""Annotate: what the small heads make of the turn that is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rejoinder.answer.state import State
from rejoinder.errors import InputError
from rejoinder.parts.opened import OpenRelease


def annotate(state: State) -> State:
    """Annotate the last turn, whoever answers it."""
    annotators = state.release.annotators
    if annotators is None or state.turns is None:
        return state
    return replace(state, annotations=annotators.best(state.turns[-1]))


def annotate_all(release: OpenRelease, texts: Sequence[str]) -> list[dict[str, dict[str, float]]]:
    """Annotate texts, each a turn of its own.

    Args:
        release: annotates.
        texts: n of them.

    Returns:
        n times, by annotator: the probability of each label.

    Raises:
        InputError: if the release has no annotators.
    """
    annotators = release.annotators
    if annotators is None:
        raise InputError(f"{release.release}: expected annotators, got a release without. Next: pull a newer one")
    found = annotators.annotate(release.encoder.encode(texts).vectors)
    return [
        {name: dict(zip(annotators.labels[name], map(float, rows[n]), strict=True)) for name, rows in found.items()}
        for n in range(len(texts))
    ]
