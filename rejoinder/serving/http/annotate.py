"""POST /v1/annotate: what the annotators make of texts; and POST /v1/reply: a reply with its whole trace."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from rejoinder.answer.asked import Asked
from rejoinder.dialogue import Dialogue
from rejoinder.serving.http.bodies import AnnotateRequest, Message, ReplyRequest, read_body
from rejoinder.serving.http.context import check_model, context_of, headers_of, model_name, respond, unless_left
from rejoinder.serving.http.dialogues import dialogue_of
from rejoinder.serving.http.errors import invalid
from rejoinder.serving.http.exchange import Exchange
from rejoinder.serving.http.forms import finish_reason
from rejoinder.serving.http.ids import conversation_id, user_id
from rejoinder.text import normalize


async def annotate(request: Request) -> Response:
    """Annotate one text or several, each a turn of its own."""
    context, body = context_of(request), await read_body(request, AnnotateRequest)
    check_model(body.model, context.release)
    texts = [body.input] if isinstance(body.input, str) else body.input
    for number, text in enumerate(texts):
        if not normalize(text):
            raise invalid(f"input[{number}]: expected a text that is not empty, got one that is", "input")
    made = await unless_left(request, context.service.annotations(texts))
    data = [{"object": "annotation", "index": n, "annotations": found} for n, found in enumerate(made.value)]
    answer = {"object": "list", "data": data, "model": model_name(made.release)}
    return respond(answer, headers_of(made.release))


async def reply(request: Request) -> Response:
    """Answer a text or a dialogue, with everything that is known of how the answer came about."""
    context, body = context_of(request), await read_body(request, ReplyRequest)
    check_model(body.model, context.release)
    exchange = Exchange(
        context,
        _dialogue(body),
        Asked(max_tokens=body.max_tokens, seed=body.seed),
        endpoint="reply",
        conversation=conversation_id(request, body.metadata),
        user=user_id(request, body.user),
    )
    given = await unless_left(request, exchange.give())
    named = {"object": "reply", "completion_id": exchange.id, "conversation_id": exchange.conversation}
    answer = {**named, "finish_reason": finish_reason(given.answer), **given.trace()}
    return respond(answer, exchange.headers())


def _dialogue(body: ReplyRequest) -> Dialogue:
    if (body.messages is None) == (body.text is None):
        raise invalid("body: expected either text or messages, got both or none", "text")
    if body.messages is not None:
        return dialogue_of(body.messages)
    return dialogue_of([Message("user", body.text)])
