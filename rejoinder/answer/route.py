"""Route: let the character answer by itself what is asked of it."""

from __future__ import annotations

from dataclasses import replace

from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State
from rejoinder.parts import INTENTS


def route(state: State) -> State:
    """Add the character's answers to the intent of the last turn, if it has one."""
    intents = state.release.intents
    if intents is None or state.route or state.turns is None:
        return state
    intent = intents.route(state.turns[-1], state.read[-1].text, state.today)
    if intent is None:
        return state
    source = f"{INTENTS.name}/{intent.name}"
    start = len(state.dialogue.turns) // 2 % len(intent.replies)
    replies = (*intent.replies[start:], *intent.replies[:start])
    return replace(
        state, route=source, candidates=tuple(Candidate(text, 1.0, None, source=source) for text in replies)
    )
