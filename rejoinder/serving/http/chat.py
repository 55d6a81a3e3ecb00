"""POST /v1/chat/completions and GET /v1/models: OpenAI's interface to the release that serves."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rejoinder.answer.asked import Asked
from rejoinder.release.document import Release
from rejoinder.serving.http.bodies import ChatRequest, read_body
from rejoinder.serving.http.context import (
    check_model,
    context_of,
    headers_of,
    model_name,
    respond,
    unless_left,
)
from rejoinder.serving.http.dialogues import dialogue_of, is_task
from rejoinder.serving.http.errors import invalid
from rejoinder.serving.http.exchange import Exchange, Given
from rejoinder.serving.http.forms import finish_reason, named, usage
from rejoinder.serving.http.ids import conversation_id, user_id
from rejoinder.serving.http.stream import stream

#: What a front end's own job is answered with: no title, no tags; front ends then take the user's first words.
_NO_RESULT = "{}"


async def models(request: Request) -> Response:
    """List the one model there is, by its two names."""
    release = context_of(request).release
    listed = [_model(name, release) for name in (release.name, model_name(release))]
    return respond({"object": "list", "data": listed}, headers_of(release))


async def model(request: Request) -> Response:
    """Show the model, if it is asked for by one of its names."""
    release = context_of(request).release
    name = request.path_params["name"]
    check_model(name, release)
    return respond(_model(name, release), headers_of(release))


def _model(name: str, release: Release) -> dict[str, Any]:
    created = int(datetime.fromisoformat(release.created).timestamp())
    return {"id": name, "object": "model", "created": created, "owned_by": "rejoinder"}


async def chat(request: Request) -> Response:
    """Answer a chat, at once or as a stream."""
    context, body = context_of(request), await read_body(request, ChatRequest)
    check_model(body.model, context.release)
    dialogue, n = dialogue_of(body.messages), body.n or 1
    if body.stream and n > 1:
        raise invalid("n: expected 1 in a stream, got more. Next: ask without stream", "n")
    if is_task(body.messages):
        return _no_result(context.release, body)
    exchange = Exchange(
        context,
        dialogue,
        asked_of(body),
        endpoint="chat",
        conversation=conversation_id(request, body.metadata),
        user=user_id(request, body.user),
        n=n,
    )
    if body.stream:
        return await stream(exchange, body)
    given = await unless_left(request, exchange.give())
    return respond(completion(exchange, given, with_trace=bool(body.include_trace)), exchange.headers())


def asked_of(body: ChatRequest) -> Asked:
    """What a body asks of an answer, besides it."""
    stop = [body.stop] if isinstance(body.stop, str) else body.stop or []
    return Asked(body.max_completion_tokens or body.max_tokens, tuple(filter(None, stop)), body.seed)


def completion(exchange: Exchange, given: Given, *, with_trace: bool) -> dict[str, Any]:
    """An answer as OpenAI's interface has it."""
    texts: tuple[str, ...] = given.answer.texts or ("",)
    reason = finish_reason(given.answer)
    more = {"trace": given.trace()} if with_trace else {}
    return {
        "id": exchange.id,
        "object": "chat.completion",
        "created": int(time.time()),
        **named(given.release),
        "conversation_id": exchange.conversation,
        "choices": [
            {
                "index": number,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": reason,
            }
            for number, text in enumerate(texts)
        ],
        "usage": usage(given.answer),
        **more,
    }


def _no_result(release: Release, body: ChatRequest) -> Response:
    """Answer a front end's own job: not as a chat, and told to nobody."""
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None}
    answer = {
        "id": "chatcmpl-task",
        "object": "chat.completion",
        "created": int(time.time()),
        **named(release),
        "choices": [{**choice, "message": {"role": "assistant", "content": _NO_RESULT, "refusal": None}}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }
    if not body.stream:
        return respond(answer, headers_of(release))
    answer |= {
        "object": "chat.completion.chunk",
        "choices": [{**choice, "delta": {"role": "assistant", "content": _NO_RESULT}}],
    }
    events = b"data: " + msgspec.json.encode(answer) + b"\n\ndata: [DONE]\n\n"
    return Response(events, headers=headers_of(release), media_type="text/event-stream")
