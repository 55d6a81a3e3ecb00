"""Who may ask: the right Host, no foreign page, JSON, and the token where there is one.

A server on loopback is within reach of every page that a browser on that machine opens: by a form or a `fetch` from
another origin, or by a name that is made to point at 127.0.0.1 (DNS rebinding). So loopback alone protects nothing.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rejoinder.serving.http.errors import HttpError, respond

_LOCAL = frozenset({"localhost"})
#: What anybody may ask: whether it lives, and the page, which asks for the token itself.
_OPEN = frozenset({"/health", "/ready", "/"})
_PAGE = "/page/"
_SAFE = frozenset({"GET", "HEAD"})
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        token: that a request must bear; empty for none.
        hosts: names of this server besides localhost and addresses.
    """

    token: str = field(default="", repr=False)
    hosts: Collection[str] = frozenset()

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Check a request by its headers.

        Args:
            method: of HTTP.
            path: asked for.
            headers: by names in lower case.

        Raises:
            HttpError: if it may not be served.
        """
        host = headers.get("host", "")
        if not self._is_ours(host):
            raise HttpError(403, "Host: expected a name of this server, got another. Next: --allow-host", "Host")
        if method not in _SAFE:
            _check_origin(host, headers)
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise HttpError(415, "Content-Type: expected application/json. Next: send it so", "Content-Type")
        if self.token and path not in _OPEN and not path.startswith(_PAGE):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            is_right = hmac.compare_digest(given.strip().encode(), self.token.encode())
            if not is_right or scheme.lower() != "bearer":
                message = "Authorization: expected Bearer and the server's token, got another. Next: send it"
                raise HttpError(401, message, "Authorization", code="no_token")

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        return name in _LOCAL or name in self.hosts or _is_address(name)


def _check_origin(host: str, headers: Mapping[str, str]) -> None:
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    is_foreign = site in {"cross-site", "same-site"} or (origin is not None and _place_of(origin) != host.lower())
    if is_foreign:
        raise HttpError(
            403, "Origin: expected this server's own page, got another's", "Origin", code="foreign_origin"
        )


def _place_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Doorkeeper:
    """ASGI middleware: checks every request, and puts the same headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Stand before an app.

        Args:
            app: answers what is let in.
            access: who may ask.
        """
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_dressing(scope["path"])]
            await send(message)

        try:
            self._access.check(scope["method"], scope["path"], _once(scope))
        except HttpError as error:
            await respond(error)(scope, receive, send_dressed)
            return
        await self._app(scope, receive, send_dressed)


def _once(scope: Scope) -> dict[str, str]:
    """Headers by name; one that stands there twice counts as wrong."""
    headers = Headers(scope=scope)
    found = dict(headers.items())
    for name in ("host", "origin", "authorization", "content-type"):
        if len(headers.getlist(name)) > 1:
            found[name] = "twice"
    return found


def _dressing(path: str) -> list[tuple[bytes, bytes]]:
    is_page = path == "/" or path.startswith(_PAGE)
    more = {"content-security-policy": _POLICY if is_page else "default-src 'none'; frame-ancestors 'none'"}
    # A module of before an upgrade beside one of after it would be a third program.
    more["cache-control"] = "no-cache" if is_page else "no-store"
    return [(name.encode(), value.encode()) for name, value in {**_ALWAYS, **more}.items()]
