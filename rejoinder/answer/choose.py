"""Choose what is said."""

from __future__ import annotations

from dataclasses import replace

from rejoinder.answer.state import State


def choose(state: State) -> State:
    """Say the first candidate that may be said."""
    return replace(state, text=next((c.text for c in state.candidates if c.dropped is None), None))
