"""Answers in the server's stead, for what a real one cannot be brought to say."""

from __future__ import annotations

import json
from typing import Any

from tests.rejoinder.serving.page.browser_page import Canned

COMPLETION = "chatcmpl-" + "0" * 48
CONVERSATION = "conv-" + "1" * 32
TRACE: dict[str, Any] = {
    "route": "free",
    "source": "model",
    "probability": 1.0,
    "fallback": "",
    "annotations": {"sentiment": ["negative", 0.91]},
    "steps": [
        {"name": "encode", "milliseconds": 6.2, "candidates_in": 0, "candidates_out": 0, "dropped": {}},
        {"name": "filter", "milliseconds": 0.6, "candidates_in": 2, "candidates_out": 1, "dropped": {"echo": 1}},
    ],
}


def candidate(text: str, **changed: Any) -> dict[str, Any]:
    """A candidate of a trace."""
    usual = {
        "text": text,
        "score": 0.5,
        "senders": 7,
        "dropped": None,
        "source": "replies",
        "rank": 0.6,
        "outputs": {},
    }
    return usual | changed


def reply(text: str, *, serial: int = 6, others: list[dict[str, Any]] | None = None) -> Canned:
    """A whole stream that says a text.

    Args:
        text: to say.
        serial: of the release that says it.
        others: further candidates of its trace.
    """
    trace = TRACE | {"text": text, "candidates": [candidate(text), *(others or [])]}
    told = [_chunk({"role": "assistant", "content": ""}) | {"conversation_id": CONVERSATION}]
    told += [_chunk({"content": text}), _chunk({}, "stop"), {"choices": [], "trace": trace}]
    return stream([*map(json.dumps, told), "[DONE]"], serial)


def stream(events: list[str], serial: int = 6) -> Canned:
    """An event stream, with a keep-alive before its events."""
    headers = {"Content-Type": "text/event-stream", "X-Rejoinder-Release": f"rejoinder@{serial} {serial:012x}"}
    headers |= {"X-Completion-Id": COMPLETION, "X-Conversation-Id": CONVERSATION}
    return Canned(200, ": keep-alive\n\n" + "".join(f"data: {event}\n\n" for event in events), headers)


def broken(text: str) -> Canned:
    """A stream that ends in the middle of a reply."""
    return stream([json.dumps(_chunk({"content": text}))])


def error(status: int, message: str = "it went wrong", **headers: str) -> Canned:
    """An error in OpenAI's form; names of headers have their dashes as underscores."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Canned(status, json.dumps(body), {"Content-Type": "application/json", **given})


def about(**changed: Any) -> Canned:
    """What /info says."""
    usual = {
        "release": "rejoinder #6 (000000000006)",
        "name": "rejoinder",
        "log_text": False,
        "retention_days": None,
    }
    return Canned(200, json.dumps(usual | changed))


def _chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"id": COMPLETION, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
