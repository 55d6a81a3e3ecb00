"""The three kinds of record: an answer, a reaction to one, feedback on a conversation.

Every record has `v`, `kind` and `at`. Ids of conversations, users and replies are keyed (`pseudonyms`). A text is
in an answer only, and only if it is asked for: `context`, `reply` and `texts`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # who reads a log, as the pipeline does, needs nothing of how answers are made
    from rejoinder.answer.reply import Candidate, Reply
    from rejoinder.dialogue import Dialogue
    from rejoinder.serving.decisions.pseudonyms import Keyer

Record = dict[str, Any]

VERSION = 1
ANSWER, REACTION, FEEDBACK = "answer", "reaction", "feedback"
KINDS = (ANSWER, REACTION, FEEDBACK)
#: Keys that hold texts.
TEXTS = ("context", "reply", "texts")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is known of an answer beside the reply; ids as the client knows them.

    Attributes:
        completion: id of the answer.
        release: its digest, "sha256:...".
        serial: of the release.
        conversation: id.
        user: id, if the client names one.
        endpoint: "chat" or "reply".
        finish: why the answer ended, as OpenAI has it: "stop", "length".
        queue_ms: wait before the work began, in milliseconds.
        total_ms: from the request to the answer, in milliseconds.
    """

    completion: str
    release: str
    serial: int
    conversation: str
    user: str | None
    endpoint: Literal["chat", "reply"]
    finish: str
    queue_ms: float
    total_ms: float


def stamp(at: datetime) -> str:
    """A time as records have it: UTC, with milliseconds, so that times sort as their texts do."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def answer_record(
    reply: Reply,
    dialogue: Dialogue,
    exchange: Exchange,
    keyer: Keyer,
    *,
    with_text: bool,
    at: datetime | None = None,
) -> Record:
    """Make the record of an answer.

    Args:
        reply: the answer and its trace.
        dialogue: what was answered, as it was sent.
        exchange: ids and times.
        keyer: names conversation, user and replies.
        with_text: whether the texts of dialogue, reply and candidates are in it.
        at: when; by default now.

    Returns:
        The record.
    """
    trace, text = reply.trace, reply.text
    record = _common(ANSWER, at) | {
        "completion": exchange.completion,
        "release": exchange.release,
        "serial": exchange.serial,
        "conversation": keyer.keyed("conversation", exchange.conversation),
        "user": _user(keyer, exchange.user),
        "endpoint": exchange.endpoint,
        "route": trace.route,
        "fallback": trace.fallback,
        "probability": _number(trace.probability, 6),
        "turns": len(dialogue.turns),
        "chosen": None if text is None else keyer.keyed("reply", text),
        "candidates": [_candidate(keyer, candidate) for candidate in trace.candidates],
        "outputs": _numbers(_chosen_outputs(reply), 6),
        "sources": list(trace.sources),
        "steps": _numbers({step.name: step.milliseconds for step in trace.steps}, 3),
        "queue_ms": _number(exchange.queue_ms, 3),
        "total_ms": _number(exchange.total_ms, 3),
        "finish": exchange.finish,
    }
    return record | _texts(reply, dialogue) if with_text else record


def reaction_record(
    completion: str,
    reaction: str | None,
    keyer: Keyer,
    *,
    user: str | None = None,
    storm: bool = False,
    at: datetime | None = None,
) -> Record:
    """Make the record of a reaction to an answer.

    Args:
        completion: id of the answer.
        reaction: one of the six, or None where it is taken back.
        keyer: names the user.
        user: id of who reacts, if the client names one.
        storm: whether too many came at once to believe it.
        at: when; by default now.

    Returns:
        The record.
    """
    common = _common(REACTION, at)
    return common | {"completion": completion, "reaction": reaction, "user": _user(keyer, user), "storm": storm}


def feedback_record(
    conversation: str,
    keyer: Keyer,
    *,
    thumb: Literal["up", "down"] | None = None,
    ratings: Mapping[str, float] | None = None,
    user: str | None = None,
    storm: bool = False,
    at: datetime | None = None,
) -> Record:
    """Make the record of feedback on a whole conversation.

    Args:
        conversation: id, as the client knows it.
        keyer: names conversation and user.
        thumb: "up" or "down", if that is what was given.
        ratings: by question, if that is.
        user: id of who gives it, if the client names one.
        storm: whether too much came at once to believe it.
        at: when; by default now.

    Returns:
        The record.
    """
    return _common(FEEDBACK, at) | {
        "conversation": keyer.keyed("conversation", conversation),
        "thumb": thumb,
        "ratings": None if ratings is None else dict(ratings),
        "user": _user(keyer, user),
        "storm": storm,
    }


def _common(kind: str, at: datetime | None) -> Record:
    return {"v": VERSION, "kind": kind, "at": stamp(at or datetime.now(UTC))}


def _user(keyer: Keyer, user: str | None) -> str | None:
    return None if user is None else keyer.keyed("user", user)


def _candidate(keyer: Keyer, candidate: Candidate) -> Record:
    """What is kept of a candidate; how likely it was is known of what was generated alone."""
    likely = candidate.log_probability
    more = {} if likely is None else {"log_probability": _number(likely, 6), "tokens": candidate.tokens}
    return more | {
        "id": keyer.keyed("reply", candidate.text),
        "source": candidate.source,
        "score": _number(candidate.score, 6),
        "rank": None if candidate.rank is None else _number(candidate.rank, 6),
        "dropped": candidate.dropped,
    }


def _chosen_outputs(reply: Reply) -> Mapping[str, float]:
    fit = (c for c in reply.trace.candidates if c.dropped is None and c.text == reply.text)
    chosen = next(fit, None)
    return {} if chosen is None else chosen.outputs


def _texts(reply: Reply, dialogue: Dialogue) -> Record:
    return {
        "context": [{"speaker": turn.speaker, "text": turn.text} for turn in dialogue.turns],
        "reply": reply.text,
        "texts": [candidate.text for candidate in reply.trace.candidates],
    }


def _numbers(values: Mapping[str, float], digits: int) -> dict[str, float | None]:
    return {name: _number(value, digits) for name, value in values.items()}


def _number(value: float, digits: int) -> float | None:
    """A number that JSON can hold; also of numpy's kinds."""
    number = float(value)
    return round(number, digits) if math.isfinite(number) else None
