"""Ids: of completions, which any worker knows for ours; and of conversations, which clients may choose."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from rejoinder.serving.http.errors import HttpError, invalid

PREFIX = "chatcmpl-"
_HALF = 32  # hex digits of 128 bits
#: Open WebUI sends its own where it forwards who asks (`ENABLE_FORWARD_USER_INFO_HEADERS`).
_CONVERSATION_HEADERS = ("x-conversation-id", "x-openwebui-chat-id")
_USER_HEADERS = ("x-user-id", "x-openwebui-user-id")
_CONVERSATION = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")


class CompletionIds:
    """Completion ids: 128 random bits, and a code over them that nobody without the key can make."""

    def __init__(self, key: bytes) -> None:
        """Take the key.

        Args:
            key: the same in all workers, and after a restart.
        """
        self._key = hmac.digest(key, b"completion ids", "sha256")

    def new(self) -> str:
        """Make an id that was never used."""
        random = secrets.token_hex(_HALF // 2)
        return f"{PREFIX}{random}{self._code(random)}"

    def check(self, name: str) -> None:
        """Check that an id was made here, or by another worker with the same key.

        Args:
            name: the id.

        Raises:
            HttpError: 404 if it was not.
        """
        digits = name.removeprefix(PREFIX)
        random, code = digits[:_HALF], digits[_HALF:]
        is_right = hmac.compare_digest(code.encode(), self._code(random).encode())
        if not is_right or digits == name:  # one answer has one name
            message = "completion_id: expected the id of an answer of this server, got another. Next: send it whole"
            raise HttpError(404, message, "completion_id", code="unknown_completion")

    def _code(self, random: str) -> str:
        return hmac.digest(self._key, random.encode(), "sha256").hex()[:_HALF]


def conversation_id(request: Request, metadata: Mapping[str, Any] | None) -> str:
    """Tell the conversation of a request: by header, by metadata, or a new one.

    Args:
        request: may have the header `X-Conversation-Id`, or Open WebUI's.
        metadata: of its body; may have `conversation_id`.

    Returns:
        The id.

    Raises:
        HttpError: 400 if it is no id.
    """
    given = _first(request, _CONVERSATION_HEADERS) or (metadata or {}).get("conversation_id")
    if given is None:
        return f"conv-{secrets.token_hex(16)}"
    return checked_conversation(given)


def user_id(request: Request, named: str | None) -> str | None:
    """Tell what a client calls its user, in the body or by a header; None if it does not."""
    return named or _first(request, _USER_HEADERS)


def _first(request: Request, names: tuple[str, ...]) -> str | None:
    return next((request.headers[name] for name in names if request.headers.get(name)), None)


def checked_conversation(given: Any) -> str:
    """Check a conversation id that a client chose.

    Args:
        given: whatever came.

    Returns:
        The id.

    Raises:
        HttpError: 400 if it is none.
    """
    if not isinstance(given, str) or not _CONVERSATION.fullmatch(given):
        raise invalid(
            "conversation_id: expected 1 to 128 letters, digits or . _ : @ / + = -, got something else",
            "conversation_id",
        )
    return given
