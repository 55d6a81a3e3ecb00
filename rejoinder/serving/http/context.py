"""Context: what every endpoint works with, and how an answer is given and told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from opentelemetry.trace import Tracer
from starlette.requests import Request
from starlette.responses import Response

from rejoinder.release.document import Release
from rejoinder.serving.events import Say
from rejoinder.serving.http.errors import HttpError
from rejoinder.serving.http.ids import CompletionIds
from rejoinder.serving.http.votes import VoteLimits
from rejoinder.serving.journal import Journal
from rejoinder.serving.metrics import Metrics
from rejoinder.serving.service import Service

T = TypeVar("T")
#: By this name every release answers, whatever its own is: a client need not be told of a demo.
PRODUCT = "rejoinder"


@dataclass(slots=True)
class Context:
    """What every endpoint works with.

    Attributes:
        service: answers.
        metrics: counts.
        ids: makes and checks completion ids.
        journal: the decision log; None where none is kept.
        say: tells events.
        tracer: takes traces; None where nobody asks for them.
        limits: of votes.
        is_draining: whether nothing new should come.
    """

    service: Service
    metrics: Metrics
    ids: CompletionIds
    journal: Journal | None
    say: Say
    tracer: Tracer | None = None
    limits: VoteLimits = field(default_factory=VoteLimits)
    is_draining: bool = False

    @property
    def release(self) -> Release:
        """The release that answers at this moment."""
        return self.service.holder.status().release


def context_of(request: Request) -> Context:
    """The context of the app that a request came to."""
    found: Context = request.app.state.context
    return found


def model_name(release: Release) -> str:
    """What a release is called as a model: "rejoinder@6"."""
    return f"{release.name}@{release.serial}"


def fingerprint(release: Release) -> str:
    """The first 12 hex digits of a release's digest."""
    return release.digest.removeprefix("sha256:")[:12]


def check_model(model: str | None, release: Release) -> None:
    """Check that a model that was asked for is the one that answers.

    Args:
        model: as asked for; None for whatever there is.
        release: that answers.

    Raises:
        HttpError: 404 if it is another one.
    """
    if model not in {None, PRODUCT, release.name, model_name(release)}:
        message = f"model: expected {release.name} or {model_name(release)}, got another. Next: see /v1/models"
        raise HttpError(404, message, "model", code="model_not_found")


def headers_of(release: Release, **more: str) -> dict[str, str]:
    """Headers that every answer of a release bears."""
    named = {f"X-{name.replace('_', '-').title()}": value for name, value in more.items()}
    return {"X-Rejoinder-Release": f"{model_name(release)} {fingerprint(release)}", **named}


def respond(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(content), headers=headers, media_type="application/json")


async def unless_left(request: Request, answer: Awaitable[T]) -> T:
    """Wait for an answer as long as the client does.

    Args:
        request: its body has been read.
        answer: cancelled if the client leaves.

    Returns:
        The answer.

    Raises:
        HttpError: if the client left; nobody reads it.
    """
    answering = asyncio.ensure_future(answer)
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        raise HttpError(499, "the client has left")
    finally:
        answering.cancel()
        leaving.cancel()
