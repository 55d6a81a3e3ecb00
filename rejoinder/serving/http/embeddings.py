"""POST /v1/embeddings: vectors of texts, as the release's vectorizer makes them."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from rejoinder.parts.arrays import Vectors
from rejoinder.serving.http.bodies import EmbeddingsRequest, read_body
from rejoinder.serving.http.context import check_model, context_of, headers_of, model_name, respond, unless_left
from rejoinder.serving.http.errors import invalid


async def embeddings(request: Request) -> Response:
    """Encode one text or several."""
    context, body = context_of(request), await read_body(request, EmbeddingsRequest)
    check_model(body.model, context.release)
    texts = _texts_of(body.input)
    if body.dimensions not in {None, dim := context.service.dim}:
        raise invalid(f"dimensions: expected {dim}, got another number. Next: leave it out", "dimensions")
    made = await unless_left(request, context.service.vectors(texts))
    rows = _encoded(made.value) if body.encoding_format == "base64" else made.value.tolist()
    tokens = sum(await context.service.lengths(texts))
    answer = {
        "object": "list",
        "data": [{"object": "embedding", "index": n, "embedding": row} for n, row in enumerate(rows)],
        "model": model_name(made.release),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return respond(answer, headers_of(made.release))


def _texts_of(given: str | list[Any]) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if any(isinstance(text, int | list) for text in texts):
        raise invalid(
            "input: expected texts, got tokens, which only a client with this model's tokenizer could make. Next: "
            "send texts; langchain-openai does with OpenAIEmbeddings(check_embedding_ctx_length=False)",
            "input",
            "tokens_not_supported",
        )
    for number, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise invalid(f"input[{number}]: expected a text that is not empty, got something else", "input")
    return texts


def _encoded(vectors: Vectors) -> list[str]:
    """Base64 of each row, float32 with the low byte first, as OpenAI's client asks by default."""
    return [base64.b64encode(row.tobytes()).decode("ascii") for row in vectors.astype(np.dtype("<f4"))]
