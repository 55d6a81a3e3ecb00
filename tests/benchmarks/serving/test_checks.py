"""An answer that is not whole, or not of one release, is noticed."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.checks import are_same, is_one_release, is_one_release_stream, is_whole_stream, vectors_of
from benchmarks.serving.client import Answer

RELEASE = "rejoinder@6 ad9ae830eb52"


def answer(body: Any, release: str = RELEASE) -> Answer:
    return Answer(200, json.dumps(body).encode(), release, "chatcmpl-1")


def chunk(fingerprint: str = "fp_ad9ae830eb52", reason: str | None = None) -> dict[str, Any]:
    return {"system_fingerprint": fingerprint, "choices": [{"delta": {}, "finish_reason": reason}]}


def stream(*chunks: dict[str, Any], end: str = "data: [DONE]\n\n") -> Answer:
    events = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks)
    return Answer(200, f": waiting\n\n{events}{end}".encode(), RELEASE, "chatcmpl-1")


WHOLE = {"model": "rejoinder@6", "system_fingerprint": "fp_ad9ae830eb52"}


def test_header_body_and_trace_agree() -> None:
    assert is_one_release(answer(WHOLE))
    assert is_one_release(answer(WHOLE | {"trace": {"release": "rejoinder #6 (ad9ae830eb52)"}}))


@pytest.mark.parametrize(
    "other",
    [
        {"model": "rejoinder@4"},
        {"system_fingerprint": "fp_0"},
        {"trace": {"release": "rejoinder #4 (8012afbad7a8)"}},
    ],
)
def test_a_part_of_another_release_is_noticed(other: dict[str, Any]) -> None:
    assert not is_one_release(answer(WHOLE | other))


def test_a_stream_has_a_reason_for_its_end_and_a_last_line() -> None:
    assert is_whole_stream(stream(chunk(), chunk(reason="stop")))
    assert not is_whole_stream(stream(chunk(), chunk()))
    assert not is_whole_stream(stream(chunk(), chunk(reason="stop"), end=""))
    assert not is_whole_stream(Answer(200, b"", RELEASE))


def test_a_chunk_of_another_release_is_noticed() -> None:
    assert is_one_release_stream(stream(chunk(), chunk(reason="stop")))
    assert not is_one_release_stream(stream(chunk(), chunk("fp_0", "stop")))


def test_vectors_are_read_as_they_were_sent_and_compared_row_by_row() -> None:
    rows = np.eye(3, dtype="<f4")[:2]
    data = [{"embedding": base64.b64encode(row.tobytes()).decode()} for row in rows]
    found = vectors_of(json.dumps({"data": data}).encode())
    assert (found == rows).all()
    assert are_same(found, list(rows))
    assert not are_same(found, list(rows[::-1]))
    assert not are_same(found, list(rows[:1]))
