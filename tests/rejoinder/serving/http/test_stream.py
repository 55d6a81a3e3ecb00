"""A chat as a stream: who speaks, then the chosen reply word by word, why it ends, and what else was asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rejoinder.answer.responder import Responder
from rejoinder.serving.http import stream as module
from tests.rejoinder.serving.apis import SOON, Api, events
from tests.rejoinder.serving.conftest import OpenApi


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """An answer takes until the event is set, or a while."""
    go_on, real = threading.Event(), Responder.answer

    def slowly(self: Responder, *given: Any, **more: Any) -> Any:
        go_on.wait(0.2)
        return real(self, *given, **more)

    monkeypatch.setattr(Responder, "answer", slowly)
    yield go_on
    go_on.set()


def test_a_stream_tells_who_speaks_then_the_reply_then_why_it_ends(api: Api) -> None:
    answered = api.chat("hello", stream=True)
    assert answered.status_code == 200
    assert answered.headers["content-type"] == "text/event-stream; charset=utf-8"
    first, *words, last, done = events(answered.text)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(word["choices"][0]["delta"]["content"] for word in words) == api.text("hello")
    assert len(words) > 1
    assert {word["choices"][0]["finish_reason"] for word in (first, *words)} == {None}
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert done == "[DONE]"


def test_every_chunk_bears_the_same_id_release_and_time(api: Api) -> None:
    answered = api.chat("hello", stream=True)
    chunks = events(answered.text)[:-1]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["id"] for chunk in chunks} == {answered.headers["x-completion-id"]}
    assert {(chunk["model"], chunk["created"]) for chunk in chunks} == {("rejoinder@1", chunks[0]["created"])}
    assert {chunk["system_fingerprint"] for chunk in chunks} == {f"fp_{api.context.release.digest[7:19]}"}
    assert chunks[0]["conversation_id"] == answered.headers["x-conversation-id"]
    assert not any("usage" in chunk for chunk in chunks)


def test_usage_comes_last_with_no_choices_where_it_is_asked_for(api: Api) -> None:
    *chunks, usage, _ = events(api.chat("hello", stream=True, stream_options={"include_usage": True}).text)
    assert usage["choices"] == []
    assert usage["usage"] == api.chat("hello").json()["usage"]
    assert {chunk["usage"] for chunk in chunks} == {None}


def test_a_trace_comes_before_usage_where_it_is_asked_for(api: Api) -> None:
    asked = {"stream": True, "include_trace": True, "stream_options": {"include_usage": True}}
    *_, last, trace, usage, _ = events(api.chat("hello", **asked).text)
    assert last["choices"][0]["finish_reason"] == "stop"
    assert (trace["choices"], trace["trace"]["text"]) == ([], api.text("hello"))
    assert "trace" not in usage


def test_a_slow_answer_keeps_its_connection_alive(
    api: Api, slow: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_EVERY_S", 0.02)
    body = api.chat("hello", stream=True).text
    first, *rest = body.split("\n\n")
    assert '"role":"assistant"' in first
    kept = [line for line in rest if line.startswith(":")]
    assert len(kept) >= 2
    assert rest.index(kept[-1]) < rest.index("data: [DONE]")
    assert events(body)[-1] == "[DONE]"


def test_several_replies_cannot_be_streamed(api: Api) -> None:
    answered = api.chat("hello", stream=True, n=2)
    assert (answered.status_code, answered.json()["error"]["param"]) == (400, "n")
    assert "Next: ask without stream" in answered.json()["error"]["message"]
    assert api.chat("hello", stream=True, n=1).status_code == 200


def test_a_reply_that_is_not_said_ends_the_stream_with_the_reason(api: Api) -> None:
    first, last, _ = events(api.chat("hello", stream=True, max_tokens=1).text)
    assert (first["choices"][0]["finish_reason"], last["choices"][0]["finish_reason"]) == (None, "length")


def test_what_is_wrong_is_refused_before_the_stream_begins(api: Api) -> None:
    answered = api.chat("hello", "hi", stream=True)
    assert (answered.status_code, answered.headers["content-type"]) == (400, "application/json")


def test_a_fault_in_the_midst_is_told_and_the_stream_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Responder, *given: Any, **more: Any) -> Any:
        raise KeyError("canary")

    monkeypatch.setattr(Responder, "answer", fail)
    answered = api.chat("hello", stream=True)
    _, error, done = events(answered.text)
    assert error["error"]["message"].startswith("no answer (KeyError)")
    assert done == "[DONE]"
    assert "canary" not in answered.text + api.said.getvalue()
    assert '"event": "fault", "kind": "KeyError"' in api.said.getvalue()


def test_a_streamed_answer_is_logged_as_any_other(api: Api) -> None:
    answered = api.chat("hello", stream=True)
    [record] = api.records("answer")
    assert record["completion"] == answered.headers["x-completion-id"]


def test_many_streams_at_once_do_not_mix(open_api: OpenApi) -> None:
    api = open_api(threads=2)
    turns = ["hello", "i feel lonely", "they know music", "we want rain"]
    expected = {turn: api.text(turn) for turn in turns}
    got: dict[str, str] = {}

    def ask(turn: str) -> None:
        chunks = [c for c in events(api.chat(turn, stream=True).text)[:-1] if c["choices"]]
        got[turn] = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)

    threads = [threading.Thread(target=ask, args=(turn,)) for turn in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert got == expected
