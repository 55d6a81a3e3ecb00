"""Remark: put prepared replies before what was retrieved where a theme fits, and words of last resort behind."""

from __future__ import annotations

from dataclasses import replace

from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State
from rejoinder.parts import REMARKS
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.remarks import Remarks
from rejoinder.parts.themes import LAST_RESORT


def remark(state: State) -> State:
    """Add the replies of the theme that the last turn calls for, the guard's checks, and those of last resort."""
    remarks = state.release.remarks
    if remarks is None or state.turns is None or state.vector is None:
        return replace(state, candidates=(*state.checks, *state.candidates))
    last = _candidates(remarks, remarks.numbered(LAST_RESORT), state.vector)
    if state.route:  # its own answers may all have been said
        return replace(state, candidates=(*state.candidates, *last))
    theme, fit = remarks.nearest(state.turns[-1], state.vector)
    # What was said alone says little in the midst of a talk: the heads, who read the turns before, have their say.
    first = _candidates(remarks, theme if fit >= remarks.facts["min_fit"] else None, state.vector)
    least = remarks.facts["min_score"]
    retrieved = tuple(
        replace(candidate, dropped="weak") if candidate.score < least else candidate
        for candidate in state.candidates
    )
    first = (*state.checks, *first) if state.is_urgent else (*first, *state.checks)
    return replace(state, candidates=(*first, *retrieved, *last))


def _candidates(remarks: Remarks, theme: int | None, context: Vectors) -> tuple[Candidate, ...]:
    if theme is None:
        return ()
    source = f"{REMARKS.name}/{remarks.themes[theme].name}"
    return tuple(Candidate(text, score, None, source=source) for text, score in remarks.ranked(theme, context))
