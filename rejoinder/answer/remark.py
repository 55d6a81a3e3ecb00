"""Remark: put prepared replies before what was retrieved where a theme fits, and words of last resort behind."""

from __future__ import annotations

from dataclasses import replace

from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State
from rejoinder.parts import REMARKS
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.remarks import Remarks
from rejoinder.parts.themes import LAST_RESORT

#: Probability from which on a head's label is taken for what the turn is about, or for its mood.
_SURE = 0.5
#: Fit from which on a theme that is not gentle may answer a turn not far from sensitive: "it would have been
#: our fortieth anniversary" fits `anniversary` at .54.
_SURE_FIT = 0.6


def remark(state: State) -> State:
    """Add the replies of the theme that the last turn calls for, the guard's checks, and those of last resort."""
    remarks = state.release.remarks
    if remarks is None or state.turns is None or state.vector is None:
        return replace(state, candidates=(*state.checks, *state.candidates))
    last = tuple(c for name in _resorts(state) for c in _candidates(remarks, remarks.numbered(name), state.vector))
    if state.route:  # its own answers may all have been said
        return replace(state, candidates=(*state.candidates, *last))
    theme, fit = remarks.nearest(state.turns[-1], state.vector)
    # What was said alone says little in the midst of a talk: the heads, who read the turns before, have their say.
    is_gentle = theme is not None and remarks.themes[theme].name in remarks.gentle
    least_fit = _SURE_FIT if state.is_wary and not is_gentle else remarks.facts["min_fit"]
    fit = fit if fit >= least_fit else 0.0
    first = _candidates(remarks, theme if fit else None, state.vector)
    retrieved = state.candidates
    if state.is_wary:
        retrieved = tuple(replace(candidate, dropped="caution") for candidate in retrieved)
    first = (*state.checks, *first) if state.is_urgent else (*first, *state.checks)
    return replace(state, fit=fit, candidates=(*first, *retrieved, *last))


def _resorts(state: State) -> list[str]:
    """Themes for when nothing else fits, those first that are nearest to what the annotators make of the turn."""
    sure = {head: label for head, (label, p) in state.annotations.items() if p >= _SURE}
    mood = sure.get("sentiment", "neutral")
    found = [f"{LAST_RESORT}-{topic}-{mood}" for topic in (sure.get("topic"), "other") if topic]
    question = [f"{LAST_RESORT}-question"] if "?" in state.dialogue.turns[-1].text else []
    # Whoever asks wants an answer more than talk about the topic, but comfort more than an answer.
    return [*found, *question, LAST_RESORT] if mood == "negative" else [*question, *found, LAST_RESORT]


def _candidates(remarks: Remarks, theme: int | None, context: Vectors) -> tuple[Candidate, ...]:
    if theme is None:
        return ()
    source = f"{REMARKS.name}/{remarks.themes[theme].name}"
    return tuple(Candidate(text, score, None, source=source) for text, score in remarks.ranked(theme, context))
