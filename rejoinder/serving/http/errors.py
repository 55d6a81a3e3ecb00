"""Errors as clients of OpenAI's interface expect them: one object that says what failed, and what to do next."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rejoinder.errors import ClosedError, InputError, QueueFullError, RejoinderError, TooLateError

_QUOTED = re.compile(r""" ['"].*['"]""", re.DOTALL)  # as `repr` writes it; paths have no quotes
_WHERE = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
RETRY_S = 1


class HttpError(RejoinderError):
    """A request cannot be served; `status`, `message` and the rest are what the client reads."""

    def __init__(
        self, status: int, message: str, param: str | None = None, *, code: str | None = None, retry_s: int = 0
    ) -> None:
        """Describe what failed.

        Args:
            status: of HTTP.
            message: what failed, what was expected and found, and what to do next; quotes no text of the request.
            param: which field of the request.
            code: a word for programs.
            retry_s: seconds after which another try may succeed; 0 for never.
        """
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.retry_s = status, message, param, code, retry_s


def invalid(message: str, param: str | None = None, code: str | None = None) -> HttpError:
    """Describe a request that is wrong."""
    return HttpError(400, message, param, code=code)


def not_as_expected(error: msgspec.ValidationError) -> HttpError:
    """Describe a body of the wrong form, without what stood in it."""
    said = _QUOTED.sub("", str(error))
    found = _WHERE.search(said)
    where = found.group(1) if found else None
    message = f"{where or 'body'}: {_WHERE.sub('', said)}. Next: see /openapi.json for what is taken"
    return invalid(message, where, "invalid_type")


def body_of(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Write an error as OpenAI's interface does."""
    kind = {401: "authentication_error", 429: "rate_limit_error"}.get(status)
    kind = kind or ("invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def respond(error: HttpError) -> Response:
    """Answer with an error."""
    headers = {"Retry-After": str(error.retry_s)} if error.retry_s else {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    content = body_of(error.status, error.message, error.param, error.code)
    return JSONResponse(content, error.status, headers=headers)


def of(error: RejoinderError) -> HttpError:
    """Give an error of ours its status."""
    if isinstance(error, QueueFullError):
        return HttpError(429, str(error), code="queue_full", retry_s=RETRY_S)
    if isinstance(error, ClosedError | TooLateError):
        return HttpError(503, str(error), code="unavailable", retry_s=RETRY_S)
    if isinstance(error, InputError):
        return invalid(str(error))
    return HttpError(500, f"{type(error).__name__}: see the server's log. Next: ask again", code="server_error")


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer a request that cannot be served."""
    return respond(cast(HttpError, error))  # registered for it alone


async def on_our_error(request: Request, error: Exception) -> Response:
    """Answer a request that one of our errors ended."""
    return respond(of(cast(RejoinderError, error)))  # registered for them alone


async def on_any_error(request: Request, error: Exception) -> Response:
    """Answer a request that a fault of ours ended; what it says may hold a text, so it is not repeated."""
    return respond(HttpError(500, f"a fault of the server ({type(error).__name__}). Next: ask again", code="fault"))


async def on_status(request: Request, error: Exception) -> Response:
    """Answer where there is no such path or method."""
    status = getattr(error, "status_code", 404)
    response = respond(HttpError(status, f"{HTTPStatus(status).phrase}. Next: see /openapi.json for what there is"))
    response.headers.update(getattr(error, "headers", None) or {})  # which methods there are
    return response
