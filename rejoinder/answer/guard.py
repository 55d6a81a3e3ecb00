"""Guard: notice sensitive turns and answer them with care; keep everything unfit from being said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State, user_texts
from rejoinder.parts import GUARD, REMARKS
from rejoinder.parts.classifier import Probabilities
from rejoinder.parts.guard import READ, Guard
from rejoinder.text import normalize


def listen(state: State) -> State:
    """Read the user's last turns, and answer with care if the lists alone know the last one: no model is needed."""
    guard = state.release.guard
    if guard is None:
        return state
    state = replace(state, said=user_texts(state.dialogue)[-READ:])
    state = replace(state, listed=tuple(map(guard.listed, state.said)))
    return care(state, guard, state.listed) if state.listed and state.listed[-1] else state


def watch(state: State) -> State:
    """Judge the user's last turns by their vectors, and answer with care what is sensitive or still open."""
    guard = state.release.guard
    if guard is None or state.said_vectors is None or state.route or not state.said:
        return state
    found = guard.sensitive(state.said_vectors, state.said)
    kinds = [listed or guard.kind(row) for row, listed in zip(found, state.listed, strict=True)]
    if kinds[-1] is None and any(guard.calls_for_both(row) for row in found[-2:]) and len(state.said) > 1:
        kinds[-1] = _together(state, guard)
    is_grave = any(guard.calls_for_caution(row) for row in found)
    is_cautious = is_grave or any(guard.offensive(state.said_vectors[-1:], state.said[-1:]))
    is_wary = guard.calls_for_both(found[-1])  # not far enough for caution, but a joke would hurt if it were
    judged = replace(state, is_cautious=is_cautious, is_wary=is_wary, is_grave=is_grave)
    return care(_with_checks(judged, guard, found) if is_grave else judged, guard, kinds)


def _together(state: State, guard: Guard) -> str | None:
    """The kind of the user's last two turns, read as one: "my dad's pills are here" and then "all of them"."""
    text = " ".join(state.said[-2:])
    return guard.kind(guard.sensitive(state.release.encoder.encode([text]).vectors, [text])[0])


def _with_checks(state: State, guard: Guard, found: Probabilities) -> State:
    """Add what is asked of the last turn, or of the gravest one if the last is none."""
    near = found[-1] if guard.calls_for_caution(found[-1]) else found[found[:, 0].argmin()]
    kind = guard.nearest(near)
    texts = _rotated(guard.scripts[kind].check, len(state.dialogue.turns) // 2)
    checks = tuple(Candidate(text, 1.0, None, source=f"{GUARD.name}/{kind}") for text in texts)
    return replace(state, checks=checks, is_urgent=guard.calls_for_check(found[-1]))


def care(state: State, guard: Guard, kinds: Sequence[str | None]) -> State:
    """Answer with a script.

    Args:
        state: whose user's turns were judged.
        guard: has the scripts.
        kinds: of the user's turns, oldest first.

    Returns:
        The state with the scripts as candidates; as it was if nothing was sensitive, or no longer is.
    """
    open_ = kinds[-1 - int(guard.facts["care_turns"]) :]
    kind = next((kind for kind in reversed(open_) if kind), None)
    if kind is None:
        return state
    scripts = guard.scripts[kind]
    said = {normalize(text) for text in state.dialogue.bot_texts()}
    is_new = kinds[-1] is not None and not any(normalize(text) in said for text in scripts.first)
    texts = _rotated(scripts.first if is_new else scripts.next, len(state.dialogue.turns) // 2)
    texts = sorted(texts, key=lambda text: normalize(text) in said)  # what was said already comes last
    source = f"{GUARD.name}/{kind}"
    candidates = tuple(Candidate(text, 1.0, None, source=source) for text in texts)
    return replace(state, route=source, candidates=candidates)


def _rotated(texts: Sequence[str], by: int) -> list[str]:
    start = by % max(1, len(texts))
    return [*texts[start:], *texts[:start]]


def veto(state: State) -> State:
    """Drop what is offensive; where caution is called for, all that nobody has written, or that is not gentle."""
    guard = state.release.guard
    if guard is None:
        return state
    if state.is_cautious:
        return state.drop(lambda candidate: None if _is_careful(state, candidate) else "caution")
    kept = [n for n, c in enumerate(state.candidates) if c.dropped is None and c.is_free]
    unfit = _offensive(state, guard, kept)
    candidates = (
        replace(candidate, dropped="offensive") if n in unfit else candidate
        for n, candidate in enumerate(state.candidates)
    )
    return replace(state, candidates=tuple(candidates)) if unfit else state


def _is_careful(state: State, candidate: Candidate) -> bool:
    """Whether a candidate may be said though the dialogue calls for caution."""
    if candidate.is_free:
        return False
    part, _, theme = candidate.source.partition("/")
    remarks = state.release.remarks
    if not state.is_grave or part != REMARKS.name or remarks is None:
        return True
    return theme in remarks.gentle or not remarks.gentle  # remarks of before any were marked


def _offensive(state: State, guard: Guard, kept: Sequence[int]) -> set[int]:
    """Which of the candidates are offensive, by their vectors; one without a vector counts by its words."""
    made = [n for n in kept if state.candidates[n].is_generated]
    return _offensive_now(state, guard, made) | _offensive_ever(state, guard, [n for n in kept if n not in made])


def _offensive_now(state: State, guard: Guard, made: Sequence[int]) -> set[int]:
    """Of what was generated: none of it comes again, so that nothing is remembered."""
    texts = [state.candidates[n].text for n in made]
    if not texts:
        return set()
    bad = guard.offensive(np.stack([state.made[text] for text in texts]), texts)
    return {n for n, is_bad in zip(made, bad, strict=True) if is_bad}


def _offensive_ever(state: State, guard: Guard, kept: Sequence[int]) -> set[int]:
    """Of what the release holds, by its shipped vectors."""
    texts, table = [state.candidates[n].text for n in kept], state.release.index.turns
    if not texts:
        return set()
    if table is None:
        return {n for n, text in zip(kept, texts, strict=True) if guard.is_unfit(text)}
    bad = guard.offensive_replies(texts, lambda new: table.vectors(np.maximum(table.rows_of(new), 0)))
    return {n for n, is_bad in zip(kept, bad, strict=True) if is_bad}
