"""Responder: encode the context -> retrieve -> filter -> the best reply, with its trace."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rejoinder.dialogue import Dialogue
from rejoinder.heuristics import reject_reason
from rejoinder.parts.opened import OpenRelease
from rejoinder.text import context_text


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reply that was considered.

    Attributes:
        text: the reply.
        score: inner product with the context, at most 1.
        senders: distinct people who said it.
        dropped: why it may not be said, or None.
    """

    text: str
    score: float
    senders: int
    dropped: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """How a reply came about.

    Attributes:
        release: which release answered.
        source: where the context's vector came from: "cold", "hot" or "model".
        candidates: best first.
        encode_ms: wall time of encoding, in milliseconds.
        search_ms: wall time of the search, in milliseconds.
        filter_ms: wall time of the rules, in milliseconds.
    """

    release: str
    source: str
    candidates: tuple[Candidate, ...]
    encode_ms: float
    search_ms: float
    filter_ms: float


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer; `text` is None if no candidate was fit to say."""

    text: str | None
    trace: Trace


class Responder:
    """Answers with one open release. Safe to share between threads."""

    def __init__(self, opened: OpenRelease) -> None:
        """Take over a release.

        Args:
            opened: proved and loaded.
        """
        self._opened = opened
        self._context_turns = int(opened.index.facts["context_turns"])
        self._candidates = int(opened.index.facts["candidates"])

    def answer(self, dialogue: Dialogue) -> Reply:
        """Answer the last turn of a dialogue.

        Args:
            dialogue: oldest turn first.

        Returns:
            The reply and its trace.
        """
        start = time.perf_counter()
        encoded = self._opened.encoder.encode([context_text(dialogue.texts, self._context_turns)])
        searched = time.perf_counter()
        hits = self._opened.index.nearest(encoded.vectors[0], self._candidates)
        filtered = time.perf_counter()
        candidates = tuple(
            Candidate(h.reply.text, h.score, h.reply.senders, reject_reason(h.reply.text, dialogue)) for h in hits
        )
        best = next((c.text for c in candidates if c.dropped is None), None)
        end = time.perf_counter()
        ms = [1000 * (b - a) for a, b in ((start, searched), (searched, filtered), (filtered, end))]
        return Reply(best, Trace(str(self._opened.release), encoded.sources[0], candidates, *ms))
