"""A chat as a stream of server-sent events: who speaks at once, then the chosen reply, word by word."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from rejoinder.release.document import Release
from rejoinder.serving.http.bodies import ChatRequest
from rejoinder.serving.http.errors import body_of
from rejoinder.serving.http.exchange import Exchange, Given
from rejoinder.serving.http.forms import finish_reason, named, usage

#: Proxies and clients give up on a silent connection; a line that begins with a colon means nothing to them.
_KEEP_ALIVE, _EVERY_S = b": still choosing\n\n", 0.25
_DONE = b"data: [DONE]\n\n"
_WORDS = re.compile(r"\s*\S+|\s+")


async def stream(exchange: Exchange, body: ChatRequest) -> Response:
    """Answer as a stream.

    Args:
        exchange: to be answered.
        body: says what the stream tells besides.

    Returns:
        The stream; what is refused at once is refused by its status, before it begins.

    Raises:
        QueueFullError: if too much is waiting.
    """
    giving = asyncio.ensure_future(exchange.give())
    await asyncio.sleep(0)  # by now it waits in the queue, or was refused
    if giving.done():
        giving.result()
    headers = {**exchange.headers(), "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(exchange, body, giving), headers=headers, media_type="text/event-stream")


async def _events(exchange: Exchange, body: ChatRequest, giving: asyncio.Future[Given]) -> AsyncIterator[bytes]:
    chunks = _Chunks(exchange, body)
    yield chunks.first()
    try:
        while not (await asyncio.wait({giving}, timeout=_EVERY_S))[0]:
            yield _KEEP_ALIVE
        for piece in chunks.rest(giving.result()):
            yield piece
    except Exception as error:  # too late for a status
        exchange.context.say("fault", kind=type(error).__name__, path="/v1/chat/completions")
        yield _event(body_of(500, f"no answer ({type(error).__name__}). Next: ask again"))
    finally:
        giving.cancel()
    yield _DONE


class _Chunks:
    """The chunks of one answer."""

    def __init__(self, exchange: Exchange, body: ChatRequest) -> None:
        self._conversation, self._with_trace = exchange.conversation, bool(body.include_trace)
        self._with_usage = bool(body.stream_options and body.stream_options.include_usage)
        release: Release = exchange.release or exchange.context.release
        head = {"id": exchange.id, "object": "chat.completion.chunk", "created": int(time.time()), **named(release)}
        self._head = head | ({"usage": None} if self._with_usage else {})

    def first(self) -> bytes:
        """Who speaks, and in which conversation."""
        return self._chunk({"role": "assistant", "content": ""}, conversation_id=self._conversation)

    def rest(self, given: Given) -> Iterator[bytes]:
        """The reply, why it ends, and what else is told."""
        for piece in _WORDS.findall("".join(given.answer.texts[:1])):
            yield self._chunk({"content": piece})
        yield self._chunk({}, finish_reason(given.answer))
        if self._with_trace:
            yield self._bare(trace=given.trace())
        if self._with_usage:
            yield self._bare(usage=usage(given.answer))

    def _chunk(self, delta: dict[str, str], reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event({**self._head, "choices": [choice], **more})

    def _bare(self, **more: Any) -> bytes:
        return _event({**self._head, "choices": [], **more})


def _event(content: Any) -> bytes:
    return b"data: " + msgspec.json.encode(content) + b"\n\n"
