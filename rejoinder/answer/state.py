"""What the steps of an answer work on, and what a step is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

from rejoinder.answer.asked import Asked
from rejoinder.answer.reply import Candidate
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.opened import OpenRelease
from rejoinder.text import normalize


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What is known so far about one answer.

    Attributes:
        release: answers; steps only read it.
        dialogue: what has been said, oldest turn first.
        asked: what the caller wants besides.
        read: the m last turns that the context is made of, oldest first.
        turns: float32 [m, turn_dim], their vectors; None in a release without heads.
        vector: float32 [dim], the context's.
        sources: where the vector of each turn that was read came from, oldest first: "cold", "hot" or "model".
        said: the user's last turns, oldest first, as far as the guard reads them.
        listed: what the guard's lists alone make of each of them: a kind, or None.
        said_vectors: float32 [u, turn_dim], theirs.
        annotations: what each head thinks likeliest of the last turn, a label and its probability.
        today: the day, for what is answered on some days only.
        when: when the generator is asked, one of its policies; None for its own.
        seed: of what is generated.
        route: who answers: "guard/<kind>", "intents/<name>", or empty as long as the talk is free.
        is_cautious: whether nothing from logs may answer, though the talk is free.
        is_wary: whether the last turn is not far from sensitive: then nothing from logs may answer, and of the
            themes only a gentle one or one that fits surely.
        is_grave: whether the user may be in distress: then only checks and gentle remarks may answer.
        checks: what is asked then.
        is_urgent: whether they come before any remark.
        fit: how well the theme fits whose replies are among the candidates; 0 where there is none.
        made: float32 [turn_dim] of what was generated, by text: no table holds those.
        candidates: best first. None is ever taken out: one that may not be said is marked with the reason.
        text: the reply.
        probability: with which this reply was chosen; 1 where nothing was left to chance.
    """

    release: OpenRelease
    dialogue: Dialogue
    asked: Asked = field(default_factory=Asked)
    read: tuple[Turn, ...] = ()
    turns: Vectors | None = None
    vector: Vectors | None = None
    sources: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    listed: tuple[str | None, ...] = ()
    said_vectors: Vectors | None = None
    annotations: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    today: date = date.min
    when: str | None = None
    seed: int = 0
    route: str = ""
    is_cautious: bool = False
    is_wary: bool = False
    is_grave: bool = False
    checks: tuple[Candidate, ...] = ()
    is_urgent: bool = False
    fit: float = 0.0
    made: Mapping[str, Vectors] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()
    text: str | None = None
    probability: float = 1.0

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


def user_texts(dialogue: Dialogue) -> tuple[str, ...]:
    """The user's turns in which anything was said, oldest first."""
    return tuple(turn.text for turn in dialogue.turns if turn.speaker == "user" and normalize(turn.text))


class Step(NamedTuple):
    """A named function from one state to the next; called by several threads at once.

    Attributes:
        name: for the trace.
        run: the function.
        is_quick: whether it takes no model and no search, and so is run even after the deadline.
    """

    name: str
    run: Callable[[State], State]
    is_quick: bool = False
