"""Records: what is in them, and that no text is unless it is asked for."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rejoinder.answer.reply import Reply
from rejoinder.serving.decisions.lines import parse
from rejoinder.serving.decisions.record import (
    TEXTS,
    Exchange,
    Record,
    answer_record,
    feedback_record,
    reaction_record,
    stamp,
)
from tests.rejoinder.serving.decisions.samples import (
    DIALOGUE,
    KEYER,
    NOON,
    REPLY,
    SECRETS,
    answer,
    feedback,
    later,
    reaction,
)

EXCHANGE = Exchange("c1", "sha256:ad9a", 6, "talk", None, "reply", "stop", 0.0, 1.0)


def as_line(record: Record) -> bytes:
    return f"{json.dumps(record)}\n".encode()


def test_an_answer_has_what_monitoring_needs() -> None:
    assert answer() == {
        "v": 1,
        "kind": "answer",
        "at": "2026-11-27T12:00:00.000Z",
        "completion": "c1",
        "release": "sha256:ad9a",
        "serial": 6,
        "conversation": KEYER.keyed("conversation", "talk"),
        "user": KEYER.keyed("user", "alice"),
        "endpoint": "chat",
        "route": "free",
        "fallback": "",
        "probability": 0.75,
        "turns": 3,
        "chosen": KEYER.keyed("reply", SECRETS[2]),
        "candidates": [
            {"id": KEYER.keyed("reply", SECRETS[3]), "source": "replies", "score": 0.91, "rank": 0.95}
            | {"dropped": "repeats"},
            {"id": KEYER.keyed("reply", SECRETS[2]), "source": "remarks/grief", "score": 0.9, "rank": 0.7}
            | {"dropped": None},
        ],
        "outputs": {"love": 0.25},
        "sources": ["cold", "hot"],
        "steps": {"retrieve": 1.235, "choose": 0.1},
        "queue_ms": 0.5,
        "total_ms": 20.25,
        "finish": "stop",
    }


def test_with_texts_an_answer_has_the_dialogue_the_reply_and_the_slate() -> None:
    record = answer(with_text=True)
    assert {key: record[key] for key in TEXTS} == {
        "context": [
            {"speaker": "user", "text": SECRETS[0]},
            {"speaker": "bot", "text": SECRETS[1]},
            {"speaker": "user", "text": "so?"},
        ],
        "reply": SECRETS[2],
        "texts": [SECRETS[3], SECRETS[2]],
    }
    assert {key: value for key, value in record.items() if key not in TEXTS} == answer()


def test_without_texts_neither_a_text_nor_an_id_of_a_client_nor_a_digest_of_one_is_in_any_record() -> None:
    said = f"{answer()}{reaction()}{feedback()}"
    secret = (*SECRETS, "so?", "talk", "alice")
    assert [text for text in (*secret, "Wilbur") if text in said] == []
    for name in ("md5", "sha1", "sha256", "blake2b"):
        digests = [hashlib.new(name, f"{kind}{text}".encode()) for text in secret for kind in ("", "reply\0")]
        assert [d for d in digests if d.hexdigest()[:8] in said] == []


@pytest.mark.parametrize("record", [answer(), answer(with_text=True), reaction(), feedback()])
def test_every_kind_is_read_back(record: Record) -> None:
    assert parse(as_line(record)) == record


def test_a_reaction_that_is_taken_back_and_a_thumb_are_read_back() -> None:
    record = reaction_record("c1", None, KEYER, storm=True)
    thumb = feedback_record("talk", KEYER, thumb="up")
    assert (parse(as_line(record))["reaction"], parse(as_line(record))["storm"]) == (None, True)
    assert (parse(as_line(thumb))["thumb"], parse(as_line(thumb))["ratings"]) == ("up", None)


def test_no_reply_has_no_id() -> None:
    record = answer_record(Reply(None, REPLY.trace), DIALOGUE, EXCHANGE, KEYER, with_text=True, at=NOON)
    assert (record["chosen"], record["reply"], record["outputs"]) == (None, None, {})
    assert parse(as_line(record)) == record


def test_numbers_that_json_lacks_are_none_and_those_of_numpy_are_numbers() -> None:
    first, second = REPLY.trace.candidates
    half: Any = np.float32(0.5)
    strange = (replace(first, score=math.nan, rank=None), replace(second, score=half))
    trace = replace(REPLY.trace, candidates=strange, probability=math.inf)
    record = answer_record(Reply(SECRETS[2], trace), DIALOGUE, EXCHANGE, KEYER, with_text=False)
    assert [(c["score"], c["rank"]) for c in record["candidates"]] == [(None, None), (0.5, 0.7)]
    assert record["probability"] is None
    assert parse(as_line(record)) == record


def test_times_sort_as_their_texts_do() -> None:
    times = [later(s) for s in (0, 0.001, 0.0015, 1, 60, 86400)]
    stamps = [stamp(time) for time in times]
    assert stamps == sorted(stamps)
    assert {len(text) for text in stamps} == {24}
