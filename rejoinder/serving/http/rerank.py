"""POST /v1/rerank (Jina), /v2/rerank (Cohere), /rerank: how well texts would reply to what was said."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from rejoinder.dialogue import Dialogue
from rejoinder.serving.http.bodies import Document, RerankRequest, read_body
from rejoinder.serving.http.context import check_model, context_of, headers_of, model_name, respond, unless_left
from rejoinder.serving.http.errors import invalid
from rejoinder.text import normalize


async def rerank(request: Request) -> Response:
    """Rank documents as replies to a query; its lines are the turns of a dialogue, the last one the user's."""
    context, body = context_of(request), await read_body(request, RerankRequest)
    check_model(body.model, context.release)
    texts = [document.text if isinstance(document, Document) else document for document in body.documents]
    if not normalize(body.query):
        raise invalid("query: expected a text that is not empty, got one that is", "query")
    dialogue = Dialogue.from_lines(body.query.splitlines())
    made = await unless_left(request, context.service.relevance(dialogue, texts))
    order = np.argsort(-made.value, kind="stable")[: body.top_n]
    tokens = sum(await context.service.lengths([body.query, *texts]))
    answer = {
        "id": f"rerank-{secrets.token_hex(16)}",
        "model": model_name(made.release),
        "results": [_result(int(n), float(made.value[n]), texts, body) for n in order],
        "usage": {"total_tokens": tokens},
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 0}},
    }
    return respond(answer, headers_of(made.release))


def _result(number: int, relevance: float, texts: list[str], body: RerankRequest) -> dict[str, Any]:
    document = {"document": {"text": texts[number]}} if body.return_documents else {}
    return {"index": number, "relevance_score": relevance, **document}
