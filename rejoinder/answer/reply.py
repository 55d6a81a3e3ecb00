"""What a caller gets: the reply, and how it came about, as plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rejoinder.parts import GENERATOR, REPLIES

_FREE = frozenset({REPLIES.name, GENERATOR.name})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reply that was considered.

    Attributes:
        text: the reply.
        score: inner product with the context, at most 1.
        senders: distinct people who said it; None if nobody has: it was written for the release, or generated.
        dropped: why it may not be said, or None.
        source: which part of the release it comes from, and what of it: "replies", "generator",
            "remarks/greeting", "intents/asks-name", "guard/self-harm".
        rank: its score with what the ranker adds; None if that was not asked.
        outputs: what the ranker says of it, by output.
        log_probability: of what was generated, by the model that did, in nats; None for everything else.
        tokens: how many of that model's tokens this is of, with what ended it.
    """

    text: str
    score: float
    senders: int | None
    dropped: str | None = None
    source: str = REPLIES.name
    rank: float | None = None
    outputs: Mapping[str, float] = field(default_factory=dict)
    log_probability: float | None = None
    tokens: int | None = None

    @property
    def is_free(self) -> bool:
        """Whether people said it elsewhere, or the model now: never trusted as what was written for the release."""
        return self.source in _FREE

    @property
    def is_generated(self) -> bool:
        """Whether the model said it, for this answer alone."""
        return self.source == GENERATOR.name

    @property
    def chosen_by(self) -> float:
        """What it is chosen by: its rank, or its score where there is none."""
        return self.score if self.rank is None else self.rank


@dataclass(frozen=True, slots=True)
class StepTrace:
    """What one step did.

    Attributes:
        name: of the step.
        milliseconds: wall time.
        candidates_in: how many could be said before it.
        candidates_out: how many can be said after it.
        dropped: how many it dropped, by reason.
    """

    name: str
    milliseconds: float
    candidates_in: int
    candidates_out: int
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Trace:
    """How a reply came about.

    Attributes:
        release: which release answered.
        source: the dearest of `sources`: whether the model had to run; empty if nothing was encoded.
        sources: where the vector of each turn that was read came from, oldest first: "cold", "hot" or "model".
        candidates: best first, the dropped ones too.
        steps: in the order they ran.
        route: who answered: "guard/<kind>", "intents/<name>", or "free".
        probability: with which this reply was chosen among the candidates; 1 where nothing was left to chance.
        annotations: what each annotator thinks likeliest of the last turn: a label and its probability.
        fallback: "nothing_fits" if every candidate was unfit, "too_late" if none was ready in time, else empty.
    """

    release: str
    source: str
    sources: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    steps: tuple[StepTrace, ...]
    route: str = "free"
    probability: float = 1.0
    fallback: str = ""
    annotations: Mapping[str, tuple[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer; `text` is None if no candidate was fit to say."""

    text: str | None
    trace: Trace
