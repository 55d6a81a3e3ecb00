"""Canonical JSON and digests: one value, one byte string, one name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NewType, cast

from rejoinder.errors import FormatError, Problem

Digest = NewType("Digest", str)

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

MAX_MANIFEST_BYTES = 1 << 20  # 1 MiB: ours hold about 2 KiB


def canonical_json(value: object) -> bytes:
    """Encode as UTF-8 JSON with sorted keys, two-space indent and a final newline: one value, one byte string."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def digest_bytes(data: bytes) -> Digest:
    """SHA-256 of bytes, as `sha256:<hex>`."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def digest_file(path: Path) -> Digest:
    """SHA-256 of a file's bytes, as `sha256:<hex>`."""
    with path.open("rb") as file:
        return Digest("sha256:" + hashlib.file_digest(file, "sha256").hexdigest())


def is_digest(value: object) -> bool:
    """Whether a value is written as `sha256:<64 hex digits>`."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def check_canonical(data: bytes, subject: str, encode: Callable[[], bytes]) -> None:
    """Refuse bytes that are not the one spelling of what was parsed from them.

    Catches duplicate keys, unknown fields and other spellings of the same value in one rule.

    Args:
        data: the bytes that were parsed.
        subject: where they came from, for messages.
        encode: spells the parsed value.

    Raises:
        FormatError: if the spelling is another.
    """
    try:
        same = encode() == data
    except (ValueError, RecursionError):  # NaN, half of a surrogate pair, endless nesting
        same = False
    if not same:
        raise FormatError(subject, [Problem("encoding", "canonical JSON", "another spelling")])


def parse_document(data: bytes, subject: str, *formats: int) -> dict[str, Any]:
    """Parse JSON bytes into an object of a known format.

    Args:
        data: UTF-8 JSON.
        subject: where the bytes came from, for messages.
        *formats: the values of its `format` key that can be read, oldest first.

    Returns:
        The object.

    Raises:
        FormatError: if it is not a JSON object, or of another format.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise FormatError(subject, [Problem("size", f"at most {MAX_MANIFEST_BYTES} bytes", "more")])
    try:
        document = json.loads(data, parse_int=_exact)
    except (ValueError, RecursionError) as error:
        raise FormatError(subject, [Problem("encoding", "UTF-8 JSON", type(error).__name__)]) from error
    found = document.get("format") if isinstance(document, dict) else None
    if found not in formats or isinstance(found, bool):
        shown = str(found)[:40] if isinstance(found, int | str) else "something else"  # not what nests without end
        raise FormatError(subject, [Problem("format", " or ".join(map(str, formats)), shown)])
    return cast(dict[str, Any], document)


def parse_clearly(data: bytes, subject: str) -> Any:
    """Parse JSON that means the same to every reader, or not at all; for documents that have no canonical form.

    Args:
        data: UTF-8 JSON without a byte order mark.
        subject: where the bytes came from, for messages.

    Returns:
        The value.

    Raises:
        FormatError: if it is no JSON, a key stands twice, a number is no finite one, or a text is no Unicode.
    """
    try:
        found = json.loads(data.decode(), object_pairs_hook=_unique, parse_int=_exact)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise FormatError(
            subject, [Problem("encoding", "JSON that can be read in one way only", type(error).__name__)]
        ) from None
    return found


def _exact(text: str) -> int:
    """Refuse numbers that no size, count or figure needs: arithmetic on them may overflow later."""
    number = int(text)
    if abs(number) >= 2**128:
        raise ValueError("a number out of range")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found
