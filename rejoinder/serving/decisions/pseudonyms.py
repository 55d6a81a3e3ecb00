"""The secret behind the ids in the log, and the ids: a digest without a key would give a short text away."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from rejoinder.atomic import create_secret
from rejoinder.errors import InputError
from rejoinder.home import home

VARIABLE = "REJOINDER_DECISIONS_KEY"

Kind = Literal["conversation", "user", "reply"]

_BYTES = 32
_DIGITS = 32
_ADVICE = f'Next: make one with `python -c "import secrets; print(secrets.token_hex({_BYTES}))"`'


@dataclass(frozen=True, slots=True)
class Keyer:
    """Names conversations, users and replies by what nobody can guess without the key."""

    key: bytes = field(repr=False)

    def keyed(self, kind: Kind, text: str) -> str:
        """Name a thing.

        Args:
            kind: of thing; the same text has another name in each kind.
            text: a client's id of a conversation or a user, or the text of a reply.

        Returns:
            32 hexadecimal digits.
        """
        return _keyed_reply(self.key, text) if kind == "reply" else _keyed(self.key, kind, text)


def _keyed(key: bytes, kind: Kind, text: str) -> str:
    message = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, message, "sha256").hex()[:_DIGITS]


@lru_cache(maxsize=8192)
def _keyed_reply(key: bytes, text: str) -> str:
    """Name a reply; the same ones are candidates again and again, 50 an answer."""
    return _keyed(key, "reply", text)


def key_file() -> Path:
    """Where the key is, unless the environment has it."""
    return home() / "decisions.key"


def decisions_key(*, make: bool = True) -> bytes:
    """Take the key from the environment, else from its file in the home.

    Args:
        make: whether to make the file where there is none.

    Returns:
        The key, 32 bytes.

    Raises:
        InputError: if the key is not 64 hexadecimal digits, or others may read its file, or there is none.
    """
    if VARIABLE in os.environ:
        return _parse(os.environ[VARIABLE], f"environment variable {VARIABLE}")
    file = key_file()
    if make and not file.exists():
        with suppress(FileExistsError):  # another first start was faster: its key is the key
            _make(file)
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        raise InputError(
            f"{file}: expected the key of the decision log, got no file. Next: set REJOINDER_HOME or {VARIABLE} as "
            "the server has it; if no server has run here, nothing was logged"
        ) from None
    if mode & 0o077:
        raise InputError(f"{file}: expected to be readable by its owner only, got more. Next: chmod 600 {file}")
    return _parse(text, str(file))


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    create_secret(file, f"{secrets.token_hex(_BYTES)}\n".encode("ascii"))
    note = "decisions: made a new key in %s; keep it: without it nobody can be erased from the log"
    logging.getLogger(__name__).info(note, file)


def _parse(value: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(value.strip())
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise InputError(f"{where}: expected {2 * _BYTES} hexadecimal digits, got something else. {_ADVICE}")
    return key
