"""Annotate: what the small heads make of the turn that is answered."""

from __future__ import annotations

from dataclasses import replace

from rejoinder.answer.state import State


def annotate(state: State) -> State:
    """Annotate the last turn, whoever answers it."""
    annotators = state.release.annotators
    if annotators is None or state.turns is None:
        return state
    return replace(state, annotations=annotators.best(state.turns[-1]))
