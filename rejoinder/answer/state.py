"""What the steps of an answer work on, and what a step is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from rejoinder.answer.reply import Candidate
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.opened import OpenRelease


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What is known so far about one answer.

    Attributes:
        release: answers; steps only read it.
        dialogue: what has been said, oldest turn first.
        read: the m last turns that the context is made of, oldest first.
        turns: float32 [m, turn_dim], their vectors; None in a release without heads.
        vector: float32 [dim], the context's.
        sources: where the vector of each turn that was read came from, oldest first: "cold", "hot" or "model".
        candidates: best first. None is ever taken out: one that may not be said is marked with the reason.
        text: the reply.
    """

    release: OpenRelease
    dialogue: Dialogue
    read: tuple[Turn, ...] = ()
    turns: Vectors | None = None
    vector: Vectors | None = None
    sources: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    text: str | None = None

    def drop(self, reason: Callable[[Candidate], str | None]) -> State:
        """Mark the candidates that a rule objects to.

        Args:
            reason: why a candidate may not be said, or None; not asked about those that are dropped already.

        Returns:
            The state with the marks.
        """

        def judged(candidate: Candidate) -> Candidate:
            why = None if candidate.dropped else reason(candidate)
            return replace(candidate, dropped=why) if why else candidate

        return replace(self, candidates=tuple(map(judged, self.candidates)))


class Step(NamedTuple):
    """A named function from one state to the next; called by several threads at once."""

    name: str
    run: Callable[[State], State]
