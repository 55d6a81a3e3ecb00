"""The app: what is answered at which path, by whom it may be asked, and how it is counted."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder.errors import RejoinderError
from rejoinder.serving.http.annotate import annotate, reply
from rejoinder.serving.http.chat import chat, model, models
from rejoinder.serving.http.context import Context
from rejoinder.serving.http.embeddings import embeddings
from rejoinder.serving.http.errors import HttpError, on_http_error, on_our_error, on_status
from rejoinder.serving.http.faults import Catching
from rejoinder.serving.http.feedback import feed_back, react
from rejoinder.serving.http.openapi import openapi
from rejoinder.serving.http.rerank import rerank
from rejoinder.serving.http.security import Access, Doorkeeper
from rejoinder.serving.http.status import health, info, metrics, ready
from rejoinder.serving.metrics import Metrics
from rejoinder.serving.telemetry import Tracing

PAGE = Path(__file__).parent.parent / "page"


async def page(request: Request) -> Response:
    """Show the playground."""
    return FileResponse(PAGE / "index.html")


FEEDBACK = "/v1/conversations/{conversation}/feedback"
#: The three paths of one interface that clients use.
_RERANK = ("/v1/rerank", "/v2/rerank", "/rerank")
ROUTES = (
    Route("/", page),
    Mount("/page", StaticFiles(directory=PAGE)),
    Route("/v1/chat/completions", chat, methods=["POST"]),
    Route("/v1/models", models),
    Route("/v1/models/{name:path}", model),
    Route("/v1/embeddings", embeddings, methods=["POST"]),
    *(Route(path, rerank, methods=["POST"]) for path in _RERANK),
    Route("/v1/annotate", annotate, methods=["POST"]),
    Route("/v1/reply", reply, methods=["POST"]),
    Route("/v1/reactions", react, methods=["POST"]),
    Route(FEEDBACK.replace("}", ":path}"), feed_back, methods=["POST"]),  # an id may hold a slash
    Route("/openapi.json", openapi),
    Route("/health", health),
    Route("/ready", ready),
    Route("/info", info),
    Route("/metrics", metrics),
)
_KNOWN = frozenset(route.path for route in ROUTES if isinstance(route, Route))


def name_of(path: str) -> str:
    """Tell what a path is called: by no id that a client chose."""
    if path in _KNOWN:
        return path
    if path.startswith("/v1/models/"):
        return "/v1/models/{name}"
    return FEEDBACK if path.startswith("/v1/conversations/") else "other"


class Counting:
    """ASGI middleware: counts requests and their time, by the path that they matched."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Stand before an app."""
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), [500]

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            name = name_of(scope["path"])
            self._metrics.requests.labels(name, str(status[0])).inc()
            self._metrics.seconds.labels(name).observe(time.perf_counter() - started)


def make_app(context: Context, access: Access, on_end: Callable[[], None] = lambda: None) -> Starlette:
    """Put the app together.

    Args:
        context: what every endpoint works with.
        access: who may ask.
        on_end: called when no request will come any more.

    Returns:
        The app.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        on_end()

    app = Starlette(
        routes=ROUTES,
        middleware=[
            *([Middleware(Tracing, tracer=context.tracer, name_of=name_of)] if context.tracer is not None else []),
            Middleware(Counting, metrics=context.metrics),
            Middleware(Doorkeeper, access=access),
            Middleware(Catching, say=context.say, name_of=name_of),
        ],
        exception_handlers={
            HttpError: on_http_error,
            RejoinderError: on_our_error,
            HTTPException: on_status,
        },
        lifespan=lifespan,
    )
    app.state.context = context
    return app
