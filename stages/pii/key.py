"""The secret behind pseudonyms: where it comes from, and what may be recorded of it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from rejoinder.atomic import create_secret
from rejoinder.home import home
from stages.errors import DataError

VARIABLE = "REJOINDER_ANONYMIZE_KEY"

_BYTES = 32
_ADVICE = f'next: make one with `python -c "import secrets; print(secrets.token_hex({_BYTES}))"`'


def load_key() -> bytes:
    """Take the key from the environment, else from its file in the home, which is made on first use.

    Returns:
        The key, 32 bytes.

    Raises:
        DataError: if the key is not 64 hexadecimal digits, or others may read its file.
    """
    if VARIABLE in os.environ:
        return _parse(os.environ[VARIABLE], f"environment variable {VARIABLE}")
    file = home() / "anonymize.key"
    if not file.exists():
        with suppress(FileExistsError):  # another first run was faster: its key is the key
            _make(file)
    if file.stat().st_mode & 0o077:
        raise DataError(f"{file}: expected to be readable by its owner only, got more; next: chmod 600 {file}")
    return _parse(file.read_text(encoding="ascii", errors="replace"), str(file))


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    create_secret(file, f"{secrets.token_hex(_BYTES)}\n".encode("ascii"))
    print(f"anonymize: made a new key in {file}; keep it: without it, pseudonyms change", file=sys.stderr)  # noqa: T201


def _parse(value: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(value.strip())
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise DataError(f"{where}: expected {2 * _BYTES} hexadecimal digits, got something else; {_ADVICE}")
    return key


def key_id(key: bytes) -> str:
    """Name a key without giving it away: 16 hexadecimal digits of a domain-separated SHA-256."""
    return hashlib.sha256(b"rejoinder/anonymize/key-id/1\0" + key).hexdigest()[:16]


def pseudonym(key: bytes, source: str, sender: str) -> str:
    """Name a sender: 16 hexadecimal digits of HMAC-SHA256, the same in every conversation of one source."""
    return hmac.new(key, f"{source}\0{sender}".encode(), hashlib.sha256).hexdigest()[:16]
