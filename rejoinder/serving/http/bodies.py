"""Bodies of requests, read strictly: unknown fields are ignored, wrong ones refused."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import ClientDisconnect, Request

from rejoinder.serving.http.errors import HttpError, invalid, not_as_expected

B = TypeVar("B", bound=Struct)

MAX_BODY = 1 << 20
MAX_MESSAGES = 2000
MAX_TEXTS = 2048
MAX_CHOICES = 8
_MAX_TEXT = 100_000  # characters
_SLOW_S = 10.0

Text = Annotated[str, Meta(max_length=_MAX_TEXT)]
Texts = Annotated[list[Text], Meta(min_length=1, max_length=MAX_TEXTS)]
ReactionWord = Literal["love", "funny", "upvote", "meaningless", "offensive", "downvote", "up", "down"]
Id = Annotated[str, Meta(min_length=1, max_length=256)]
Count = Annotated[int, Meta(ge=1)]


class Part(Struct):
    """A part of a message's content."""

    type: str
    text: Text | None = None


class Message(Struct):
    """A message; instructions, tools and their results are read by nobody here."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None


Messages = Annotated[list[Message], Meta(min_length=1, max_length=MAX_MESSAGES)]


class StreamOptions(Struct):
    """What a stream tells besides."""

    include_usage: bool | None = None


class ChatRequest(Struct):
    """Body of /v1/chat/completions."""

    messages: Messages
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=MAX_CHOICES)] | None = None
    seed: int | None = None
    stop: str | Annotated[list[str], Meta(max_length=16)] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    user: Id | None = None
    metadata: dict[str, Any] | None = None
    include_trace: bool | None = None


class ReplyRequest(Struct):
    """Body of /v1/reply: a text, or a dialogue."""

    messages: Messages | None = None
    text: Text | None = None
    model: str | None = None
    seed: int | None = None
    max_tokens: Count | None = None
    user: Id | None = None
    metadata: dict[str, Any] | None = None


class EmbeddingsRequest(Struct):
    """Body of /v1/embeddings."""

    input: Text | Annotated[list[Any], Meta(min_length=1, max_length=MAX_TEXTS)]
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Count | None = None
    user: str | None = None


class Document(Struct):
    """A document to be ranked."""

    text: Text


class RerankRequest(Struct):
    """Body of /v1/rerank, /v2/rerank and /rerank: documents are replies to what the query says."""

    query: Text
    documents: Annotated[list[Text | Document], Meta(min_length=1, max_length=1000)]
    model: str | None = None
    top_n: Count | None = None
    return_documents: bool | None = None


class AnnotateRequest(Struct):
    """Body of /v1/annotate."""

    input: Text | Texts
    model: str | None = None


class ReactionRequest(Struct):
    """Body of /v1/reactions; no reaction takes an earlier one back."""

    completion_id: Id
    reaction: ReactionWord | None
    user: Id | None = None


class FeedbackRequest(Struct):
    """Body of /v1/conversations/ID/feedback; a thumb of null takes an earlier one back."""

    thumb: Literal["up", "down"] | UnsetType | None = UNSET
    ratings: dict[str, Annotated[int, Meta(ge=1, le=10)]] | None = None
    user: Id | None = None


async def read_body(request: Request, kind: type[B]) -> B:
    """Read a request's body.

    Args:
        request: its headers have been checked.
        kind: what it should be.

    Returns:
        The body.

    Raises:
        HttpError: 413 if it is too large, 408 if it comes too slowly, 400 if it is not what it should be.
    """
    try:
        async with asyncio.timeout(_SLOW_S):
            body = await _bytes(request)
    except TimeoutError:
        raise HttpError(408, f"body: expected all of it within {_SLOW_S:g} s. Next: send it at once") from None
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise not_as_expected(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("body: expected one JSON object in UTF-8, got something else", code="invalid_json") from None


async def _bytes(request: Request) -> bytes:
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY:
                raise HttpError(413, f"body: expected at most {MAX_BODY} bytes, got more. Next: send less")
            chunks.append(chunk)
    except ClientDisconnect:
        raise HttpError(400, "body: the client left before all of it was there") from None
    return b"".join(chunks)
