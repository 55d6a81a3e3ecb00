"""Encode the context, and retrieve the replies nearest to it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State, user_texts
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.parts.guard import READ
from rejoinder.parts.opened import OpenRelease
from rejoinder.text import context_text, normalize


def encode(state: State) -> State:
    """Turn the last turns into a vector."""
    release = state.release
    if release.heads is None:  # made before there were heads: the last turns are one text
        turns = int(release.index.facts["context_turns"])
        encoded = release.encoder.encode([context_text(state.dialogue.texts, turns)])
        return replace(state, vector=encoded.vectors[0], sources=encoded.sources)
    last = last_turns(state.dialogue, release.heads.turns)
    row = {text: n for n, text in enumerate(dict.fromkeys([turn.text for turn in last] + list(state.said)))}
    encoded = release.encoder.encode(list(row))  # whoever reads them: in one batch
    read = [row[turn.text] for turn in last]
    vector = release.heads.context(encoded.vectors[read], [turn.speaker == "bot" for turn in last])
    return replace(
        state,
        read=tuple(last),
        turns=encoded.vectors[read],
        said_vectors=encoded.vectors[[row[text] for text in state.said]],
        vector=vector,
        sources=tuple(encoded.sources[n] for n in read),
    )


def texts_read(release: OpenRelease, dialogue: Dialogue) -> list[str]:
    """List the texts that `encode` will encode, each once."""
    if release.heads is None:
        return [context_text(dialogue.texts, int(release.index.facts["context_turns"]))]
    read = [turn.text for turn in last_turns(dialogue, release.heads.turns)]
    said = [] if release.guard is None else user_texts(dialogue)[-READ:]
    return list(dict.fromkeys([*read, *said]))


def last_turns(dialogue: Dialogue, most: int) -> list[Turn]:
    """List the last turns in which anything was said.

    Args:
        dialogue: oldest turn first.
        most: how many.

    Returns:
        They, oldest first; where nothing was said at all, the last one.
    """
    said = (turn for turn in reversed(dialogue.turns) if normalize(turn.text))
    return list(islice(said, most))[::-1] or [dialogue.turns[-1]]


def retrieve(state: State) -> State:
    """Take the replies nearest to the context's vector as candidates, where the talk is free."""
    if state.route:
        return state
    if state.vector is None:
        raise ValueError("retrieve: expected the context's vector, got none. Next: put encode before it")
    index = state.release.index
    hits = index.nearest(state.vector, int(index.facts["candidates"]))
    return replace(state, candidates=tuple(Candidate(h.reply.text, h.score, h.reply.senders) for h in hits))
