"""Clients that leave in the midst, or never come to an end, cost nothing and hurt nobody."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from rejoinder.answer.asked import Asked
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue
from rejoinder.serving.http import bodies
from tests.rejoinder.serving.apis import CHAT, EMBEDDINGS, RERANK, SOON, Api, until

BODY = {"messages": [{"role": "user", "content": "hello"}]}
HEADERS = [(b"host", b"localhost"), (b"content-type", b"application/json")]
LEAVES = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    """A piece of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def whole(body: Any) -> dict[str, Any]:
    """A whole body."""
    return part(json.dumps(body).encode())


def speak(api: Api, path: str, received: Sequence[dict[str, Any]], after: threading.Event | None = None) -> Any:
    """Send a request piece by piece, the last one once an event is set; all messages that came back."""
    sent: list[dict[str, Any]] = []
    waiting = list(received)

    async def receive() -> dict[str, Any]:
        if after is not None and len(waiting) == 1:
            await asyncio.get_running_loop().run_in_executor(None, after.wait, SOON)
        if not waiting:
            await asyncio.sleep(SOON)
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "scheme": "http", "headers": HEADERS, "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        "http_version": "1.1",
    }  # fmt: skip

    async def run() -> None:
        async with asyncio.timeout(SOON):
            await api.client.app(scope, receive, send)

    asyncio.run(run())
    return sent


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, list[bool]]]:
    """An answer takes until nobody wants it; the event that it has begun, and what came of the wish in the end."""
    begun, wishes, real = threading.Event(), [], Responder.answer

    def slowly(self: Responder, dialogue: Dialogue, asked: Asked) -> Any:
        begun.set()
        until(lambda: not asked.is_wanted())
        wishes.append(asked.is_wanted())
        return real(self, dialogue, asked=asked)

    monkeypatch.setattr(Responder, "answer", slowly)
    yield begun, wishes
    monkeypatch.setattr(Responder, "answer", real)


@pytest.mark.parametrize("body", [BODY, {**BODY, "stream": True}], ids=["plain", "stream"])
def test_an_answer_is_given_up_when_its_client_leaves_and_is_not_logged(
    api: Api, slow: tuple[threading.Event, list[bool]], body: dict[str, Any]
) -> None:
    begun, wishes = slow
    speak(api, CHAT, [whole(body), LEAVES], begun)
    assert until(lambda: wishes == [False])
    assert until(lambda: api.context.service.holder.status().in_flight == 0)
    assert api.records("answer") == []


def test_a_client_that_has_left_is_counted(api: Api, slow: tuple[threading.Event, list[bool]]) -> None:
    speak(api, CHAT, [whole(BODY), LEAVES], slow[0])
    assert api.figure("rejoinder_requests_total", endpoint=CHAT, status="499") == 1
    assert api.figure("rejoinder_answers_total") == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (EMBEDDINGS, {"input": ["hello"] * 200}),
        (RERANK, {"query": "hello", "documents": ["hello"] * 50}),
        ("/v1/annotate", {"input": ["hello"] * 50}),
    ],
)
def test_whatever_was_asked_for_a_client_may_leave(api: Api, path: str, body: dict[str, Any]) -> None:
    speak(api, path, [whole(body), LEAVES])
    assert until(lambda: api.context.service.holder.status().in_flight == 0)
    assert api.text("hello")


def test_a_client_that_leaves_before_its_body_is_whole_changes_nothing(api: Api) -> None:
    speak(api, CHAT, [part(b'{"messages": [', more=True), LEAVES])
    assert api.figure("rejoinder_requests_total", endpoint=CHAT, status="400") == 1
    assert api.said.getvalue() == ""


@pytest.mark.parametrize("pieces", [[], [part(b'{"messages": [', more=True)]])
def test_a_body_that_comes_too_slowly_is_given_up(
    api: Api, monkeypatch: pytest.MonkeyPatch, pieces: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(bodies, "_SLOW_S", 0.05)
    start, body = speak(api, CHAT, pieces)
    assert start["status"] == 408
    assert "Next: send it at once" in json.loads(body["body"])["error"]["message"]


def test_a_body_without_end_is_refused_as_soon_as_it_is_too_large(api: Api) -> None:
    piece = b" " * 100_000
    start, _ = speak(api, CHAT, [part(piece, more=True)] * 11)
    assert start["status"] == 413
