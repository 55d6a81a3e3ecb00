"""Guard: notice sensitive turns and answer them with care; keep everything unfit from being said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State
from rejoinder.parts import GUARD, REPLIES
from rejoinder.parts.guard import READ, Guard
from rejoinder.text import normalize


def listen(state: State) -> State:
    """Read the user's last turns, and answer with care if the lists alone know the last one: no model is needed."""
    guard = state.release.guard
    if guard is None:
        return state
    said = tuple(turn.text for turn in state.dialogue.turns if turn.speaker == "user" and normalize(turn.text))
    state = replace(state, said=said[-READ:])
    kinds = [guard.listed(text) for text in state.said]
    return care(state, guard, kinds) if kinds and kinds[-1] else state


def watch(state: State) -> State:
    """Judge the user's last turns by their vectors, and answer with care what is sensitive or still open."""
    guard = state.release.guard
    if guard is None or state.said_vectors is None or state.route or not state.said:
        return state
    found = guard.sensitive(state.said_vectors, state.said)
    kinds = [guard.kind(row, text) for row, text in zip(found, state.said, strict=True)]
    is_cautious = any(guard.calls_for_caution(row) for row in found)
    is_cautious = is_cautious or any(guard.offensive(state.said_vectors[-1:], state.said[-1:]))
    return care(replace(state, is_cautious=is_cautious), guard, kinds)


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
    start = by % len(texts)
    return [*texts[start:], *texts[:start]]


def veto(state: State) -> State:
    """Drop what an assistant must not say, and everything from logs where the dialogue calls for caution."""
    guard = state.release.guard
    if guard is None:
        return state
    kept = [n for n, c in enumerate(state.candidates) if c.dropped is None and c.source == REPLIES.name]
    unfit = set(kept) if state.is_cautious else _offensive(state, guard, kept)
    why = "caution" if state.is_cautious else "offensive"
    candidates = (
        replace(candidate, dropped=why) if n in unfit else candidate for n, candidate in enumerate(state.candidates)
    )
    return replace(state, candidates=tuple(candidates)) if unfit else state


def _offensive(state: State, guard: Guard, kept: Sequence[int]) -> set[int]:
    """Which of the candidates are offensive, by their shipped vectors; one without a vector counts by its words."""
    texts, table = [state.candidates[n].text for n in kept], state.release.index.turns
    if not texts:
        return set()
    if table is None:
        return {n for n, text in zip(kept, texts, strict=True) if guard.is_unfit(text)}
    vectors = table.vectors(np.maximum(table.rows_of(texts), 0))
    return {n for n, is_bad in zip(kept, guard.offensive(vectors, texts), strict=True) if is_bad}
