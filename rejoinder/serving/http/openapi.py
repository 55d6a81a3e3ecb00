"""GET /openapi.json: what there is, from the very types that bodies are read by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rejoinder import __version__
from rejoinder.serving.http import bodies
from rejoinder.serving.http.context import respond

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_REFUSALS = {
    400: "Not as expected",
    401: "No token",
    403: "Another's page or host",
    404: "Not there",
    408: "Too slow",
    413: "Too large",
    415: "Not JSON",
    422: "Not as expected",
    429: "Too much at once",
    503: "Not now",
}
_POSTS: Sequence[tuple[str, type[msgspec.Struct], str]] = (
    ("/v1/chat/completions", bodies.ChatRequest, "Answer a chat (OpenAI)"),
    ("/v1/embeddings", bodies.EmbeddingsRequest, "Vectors of texts (OpenAI)"),
    ("/v1/rerank", bodies.RerankRequest, "How well documents reply to a query (Jina)"),
    ("/v2/rerank", bodies.RerankRequest, "How well documents reply to a query (Cohere)"),
    ("/rerank", bodies.RerankRequest, "How well documents reply to a query"),
    ("/v1/annotate", bodies.AnnotateRequest, "What the annotators make of texts"),
    ("/v1/reply", bodies.ReplyRequest, "A reply with its whole trace"),
    ("/v1/reactions", bodies.ReactionRequest, "React to an answer"),
    ("/v1/conversations/{conversation}/feedback", bodies.FeedbackRequest, "Rate a conversation"),
)
_GETS = (
    ("/v1/models", "The model"),
    ("/health", "Whether the process lives"),
    ("/ready", "Whether requests should come"),
    ("/info", "Which release answers"),
)


def document() -> dict[str, Any]:
    """Describe the whole interface.

    Returns:
        An OpenAPI 3.1 document.
    """
    kinds = [kind for _, kind, _ in _POSTS]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {path: {"get": _operation(said)} for path, said in _GETS}
    for (path, _, said), schema in zip(_POSTS, schemas, strict=True):
        body = {"required": True, "content": {"application/json": {"schema": schema}}}
        paths[path] = {"post": {**_operation(said), "requestBody": body}}
    place = {"name": "conversation", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    paths["/v1/conversations/{conversation}/feedback"]["post"]["parameters"] = [place]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rejoinder", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


async def openapi(request: Request) -> Response:
    """Tell the whole interface."""
    return respond(document())


def _operation(said: str) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    refused = {str(status): {"description": why, "content": error} for status, why in _REFUSALS.items()}
    return {"summary": said, "responses": {"200": {"description": "The answer"}, **refused}}
