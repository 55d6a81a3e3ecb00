"""Simple rules that drop an unfit candidate before it can be said."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State
from rejoinder.answer.vectors import vectors_of
from rejoinder.dialogue import Dialogue
from rejoinder.parts import GUARD
from rejoinder.text import normalize, words_of

#: A candidate is a turn again if they share this part of the shorter one's words (overlap coefficient) ...
ECHO_OVERLAP = 0.75
#: ... and at least so many: "yes, pizza!" is no echo of "do you like pizza?".
ECHO_WORDS = 3
#: What people once said elsewhere, or the model now, is an echo if this share of its words stands in one of the
#: user's turns: without this rule a third of the answers to 200 turns were such (docs/measured/replies.md).
ECHO_SHARE = 0.5
#: Cosine of its vector with a turn's from which such a reply says the same in other words.
PARAPHRASE = 0.8


class _Canonical(NamedTuple):
    """A text as the rules compare it."""

    text: str
    words: frozenset[str]


class Rules:
    """The rules for one dialogue, whose turns are normalised once."""

    def __init__(self, dialogue: Dialogue) -> None:
        """Take what has been said."""
        self._bots = [_canonical(text) for text in dialogue.bot_texts()]
        self._users = [_canonical(turn.text) for turn in dialogue.turns if turn.speaker == "user"]

    def reason(self, reply: str, *, retrieved: bool = True) -> str | None:
        """Why a candidate must not be said here.

        Args:
            reply: the candidate.
            retrieved: whether people said it elsewhere, or the model; what was written for such a turn may take its
                words up.

        Returns:
            "empty", "repeat" (of the bot's own turn), "echo" (of the user's), or None if it may be said.
        """
        said = _canonical_reply(reply)
        if not said.text:
            return "empty"
        if any(_alike(said, turn) for turn in self._bots):
            return "repeat"
        if any(_alike(said, turn) or (retrieved and _shares(said, turn)) for turn in self._users):
            return "echo"
        return None


def drop_unfit(state: State) -> State:
    """Drop the candidates that the rules object to.

    Only a release with remarks has something to say in their place: without, free replies are judged mildly.
    """
    rules, strictly = Rules(state.dialogue), state.release.remarks is not None
    denied = state.release.denied

    def reason(candidate: Candidate) -> str | None:
        if state.route and candidate.source.startswith(f"{GUARD.name}/"):
            return None  # care is said, and said again, rather than nothing
        if denied is not None and denied.denies(candidate.text, candidate.source):
            return "denied"
        return rules.reason(candidate.text, retrieved=strictly and candidate.is_free)

    judged = state.drop(reason)
    return drop_paraphrases(judged) if strictly else judged


def drop_paraphrases(state: State) -> State:
    """Drop what people or the model said if its vector says what the user's last turns say."""
    kept = [n for n, c in enumerate(state.candidates) if c.dropped is None and c.is_free]
    if state.turns is None or not kept:
        return state
    said = state.turns[[turn.speaker == "user" for turn in state.read]]
    if not len(said):
        return state
    vectors = vectors_of(state, [state.candidates[n].text for n in kept], said.shape[1])
    nearest = (vectors @ said.T).max(axis=1)
    near = {n for n, cosine in zip(kept, nearest, strict=True) if cosine >= PARAPHRASE}
    candidates = (
        replace(candidate, dropped="paraphrase") if n in near else candidate
        for n, candidate in enumerate(state.candidates)
    )
    return replace(state, candidates=tuple(candidates))


def _canonical(text: str) -> _Canonical:
    canonical = normalize(text)
    return _Canonical(canonical, frozenset(words_of(canonical)))


#: The replies of a release are the same few thousand; keeping them takes 0.5 kB each and saves a third of the time.
_canonical_reply = lru_cache(4096)(_canonical)


def _alike(reply: _Canonical, turn: _Canonical) -> bool:
    shared = len(reply.words & turn.words)
    if shared >= ECHO_WORDS:
        return shared >= ECHO_OVERLAP * min(len(reply.words), len(turn.words))
    return reply.text == turn.text or (shared > 0 and reply.words == turn.words)


def _shares(reply: _Canonical, turn: _Canonical) -> bool:
    return bool(reply.words) and len(reply.words & turn.words) >= ECHO_SHARE * len(reply.words)
