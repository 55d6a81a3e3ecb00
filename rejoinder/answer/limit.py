"""Limit: leave out what is longer than the caller takes, or holds what the caller does not want to read.

A reply is never cut: half of it may say the opposite of the whole. Care is never left out.
"""

from __future__ import annotations

from dataclasses import replace

from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State
from rejoinder.parts import GUARD

TOO_LONG, STOPPED = "max_tokens", "stop"


def limit(state: State) -> State:
    """Drop what the caller's limits leave out."""
    asked = state.asked
    if not asked.stop and asked.max_tokens is None:
        return state
    bound = [n for n, c in enumerate(state.candidates) if c.dropped is None and not _is_care(c)]
    lengths = dict.fromkeys(bound, 0)
    if asked.max_tokens is not None:
        lengths = dict(
            zip(bound, state.release.vectorizer.lengths([state.candidates[n].text for n in bound]), strict=True)
        )
    candidates = list(state.candidates)
    for n in bound:
        if asked.max_tokens is not None and lengths[n] > asked.max_tokens:
            candidates[n] = replace(candidates[n], dropped=TOO_LONG)
        elif any(word in candidates[n].text for word in asked.stop):
            candidates[n] = replace(candidates[n], dropped=STOPPED)
    return replace(state, candidates=tuple(candidates))


def _is_care(candidate: Candidate) -> bool:
    return candidate.source.partition("/")[0] == GUARD.name
