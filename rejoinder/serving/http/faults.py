"""Faults of ours: told by their kind alone, to clients and to who runs the server; their words may hold a text."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder.serving.events import Say
from rejoinder.serving.http.errors import on_any_error


class Catching:
    """ASGI middleware: answers where a fault ended a request."""

    def __init__(self, app: ASGIApp, say: Say, name_of: Callable[[str], str]) -> None:
        """Stand before an app.

        Args:
            app: answers.
            say: told of each fault.
            name_of: what a path is called: it may hold somebody's id.
        """
        self._app, self._say, self._name_of = app, say, name_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or tell that it failed."""
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            if scope["type"] != "http":
                raise
            self._say("fault", kind=type(error).__name__, path=self._name_of(scope["path"]))
            if has_begun:  # the client must notice that something is missing
                raise ConnectionError("a fault after the answer had begun") from None
            await (await on_any_error(Request(scope), error))(scope, receive, send)
