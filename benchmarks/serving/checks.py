"""Checks: whether an answer is whole, and all of it of one release."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.serving.client import Answer
from rejoinder.parts.arrays import Vectors

#: Rows of one matrix product differ from those of another in the last bits; texts differ by far more.
_SAME = 0.999
_DONE = "[DONE]"


def digest_of(release: str) -> str:
    """The digest in the header that names a release."""
    return release.partition(" ")[2]


def is_one_release(answer: Answer) -> bool:
    """Whether header and body of a chat, and its trace if there is one, name one release.

    Args:
        answer: with status 200.

    Returns:
        Whether they do.
    """
    body = json.loads(answer.body)
    model, digest = answer.release.split()
    traced = body.get("trace", {}).get("release", f"({digest})")
    return body["model"] == model and body["system_fingerprint"] == f"fp_{digest}" and f"({digest})" in traced


def events_of(body: bytes) -> Iterator[str]:
    """The data of each event of a stream."""
    for block in body.decode().split("\n\n"):
        if block.startswith("data: "):
            yield block.removeprefix("data: ")


def is_whole_stream(answer: Answer) -> bool:
    """Whether a stream has a reason for its end, no error, and its last line."""
    *chunks, last = list(events_of(answer.body)) or [""]
    reasons = [choice["finish_reason"] for chunk in chunks for choice in json.loads(chunk).get("choices", [])]
    return last == _DONE and bool(reasons) and reasons[-1] is not None


def is_one_release_stream(answer: Answer) -> bool:
    """Whether the header and every chunk of a stream name one release."""
    chunks: list[dict[str, Any]] = [json.loads(event) for event in events_of(answer.body) if event != _DONE]
    return {chunk["system_fingerprint"] for chunk in chunks} == {f"fp_{digest_of(answer.release)}"}


def vectors_of(body: bytes) -> Vectors:
    """The vectors of an answer in base64, float32 [n, dim]."""
    rows = [base64.b64decode(each["embedding"]) for each in json.loads(body)["data"]]
    return np.stack([np.frombuffer(row, "<f4") for row in rows])


def are_same(vectors: Vectors, expected: Sequence[Vectors]) -> bool:
    """Whether vectors are those that a release makes of the texts that were sent."""
    if len(vectors) != len(expected):
        return False
    return bool((np.einsum("nd,nd->n", vectors, np.stack(list(expected))) > _SAME).all())
