"""GET /health, /ready, /info, /metrics: for those who run the server."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from rejoinder import __version__
from rejoinder.serving.http.context import context_of, headers_of, respond
from rejoinder.serving.http.errors import HttpError
from rejoinder.serving.metrics import CONTENT_TYPE


async def health(request: Request) -> Response:
    """Tell that the process lives."""
    return respond({"status": "ok"})


async def ready(request: Request) -> Response:
    """Tell whether requests should come here."""
    context = context_of(request)
    if context.is_draining:
        raise HttpError(503, "the server is going away. Next: ask another one", code="draining", retry_s=1)
    return respond({"status": "ready"}, headers_of(context.release))


async def info(request: Request) -> Response:
    """Tell which release answers, and what is kept of what people write."""
    context = context_of(request)
    status = context.service.holder.status()
    release, journal = status.release, context.journal
    with context.service.holder.lease() as slot:
        parts, execution = list(slot.opened.parts), str(slot.opened.vectorizer.execution)
    told = {
        "release": str(release),
        "name": release.name,
        "serial": release.serial,
        "digest": release.digest,
        "created": release.created,
        "expires": release.expires,
        "version": __version__,
        "parts": parts,
        "execution": execution,
        "log": journal is not None,
        "log_text": journal is not None and journal.with_text,
        "retention_days": journal.retention_days if journal is not None else None,
        "swaps": status.swaps,
    }
    return respond(told, headers_of(release))


async def metrics(request: Request) -> Response:
    """Tell all metrics, as Prometheus reads them."""
    context = context_of(request)
    context.metrics.waiting.set(context.service.waiting)
    return Response(context.metrics.text(), media_type=CONTENT_TYPE)
