"""Tombstones: what was erased from a log, in `erased.jsonl` beside its files. Readers obey them always.

A line is `{"kind": "conversation" | "user", "id": keyed, "at": time}`: records of it until then are gone, and what
comes later is a new beginning. `{"kind": "completion", ...}` follows for every answer that went, so that a reaction
which is found later, in another file, goes as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rejoinder.atomic import sync
from rejoinder.errors import InputError
from rejoinder.serving.decisions.files import turn
from rejoinder.serving.decisions.record import stamp

NAME = "erased.jsonl"
COMPLETION = "completion"
KINDS = ("conversation", "user", COMPLETION)

_ALWAYS = "~"  # later than any time


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Something that was erased: its kind, its id as records have it, and when."""

    kind: str
    id: str
    at: str


class Erased:
    """What was erased, to ask of records."""

    def __init__(self, tombstones: Iterable[Tombstone] = (), *, whenever: Iterable[Tombstone] = ()) -> None:
        """Gather tombstones.

        Args:
            tombstones: records until each one's time are erased; of a completion, whenever they were written.
            whenever: records of these are erased whatever their time: a clock may have jumped between the two.
        """
        self._until: dict[tuple[str, str], str] = {}
        for stone in tombstones:
            self._add(stone, _ALWAYS if stone.kind == COMPLETION else stone.at)
        for stone in whenever:
            self._add(stone, _ALWAYS)

    def __bool__(self) -> bool:
        return bool(self._until)

    @property
    def ids(self) -> frozenset[bytes]:
        """The ids of all kinds, as they stand in a line."""
        return frozenset(json.dumps(identity)[1:-1].encode() for _, identity in self._until)

    def has(self, stone: Tombstone) -> bool:
        """Whether a tombstone is among them."""
        return (stone.kind, stone.id) in self._until

    def extended(self, stones: Iterable[Tombstone]) -> Erased:
        """These and others."""
        other = Erased(stones)
        for key, until in self._until.items():
            other._until[key] = max(until, other._until.get(key, ""))
        return other

    def takes(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is erased."""
        return any(self._until and self._takes(kind, record) for kind in KINDS)

    def _takes(self, kind: str, record: Mapping[str, Any]) -> bool:
        identity, at = record.get(kind), record.get("at")
        if not isinstance(identity, str):
            return False
        until = self._until.get((kind, identity))
        return until is not None and (not isinstance(at, str) or at <= until)

    def _add(self, stone: Tombstone, until: str) -> None:
        key = (stone.kind, stone.id)
        self._until[key] = max(until, self._until.get(key, ""))


def tombstones(kind: str, identities: Iterable[str]) -> list[Tombstone]:
    """Make tombstones, of now."""
    at = stamp(datetime.now(UTC))
    return [Tombstone(kind, identity, at) for identity in identities]


def mark(folder: Path) -> tuple[int, int, int] | None:
    """What changes when a tombstone is added; None if there is none."""
    with suppress(OSError):
        found = (folder / NAME).stat()
        return found.st_ino, found.st_size, found.st_mtime_ns
    return None


def read_tombstones(folder: Path) -> list[Tombstone]:
    """Read what was erased from a log.

    Args:
        folder: of the log.

    Returns:
        The tombstones, in the order of their lines.

    Raises:
        InputError: if one cannot be read: to go on would be to read what was erased.
    """
    try:
        lines = (folder / NAME).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    # What follows the last line end was not written to its end, and never confirmed.
    return [_parse(line, f"{folder / NAME}, line {n}") for n, line in enumerate(lines[:-1], 1)]


def _parse(line: bytes, where: str) -> Tombstone:
    try:
        stone = Tombstone(**json.loads(line))
    except (ValueError, TypeError):
        stone = Tombstone("", "", "")
    if stone.kind not in KINDS or not all(isinstance(value, str) and value for value in (stone.id, stone.at)):
        raise InputError(
            f"{where}: expected what was erased, its kind and when, got something else. Next: remove that line, "
            "and erase what it stood for again"
        )
    return stone


def add_tombstones(folder: Path, stones: Iterable[Tombstone]) -> None:
    """Add tombstones; they are on the disk when this returns.

    Args:
        folder: of the log; exists.
        stones: at least one.
    """
    data = "".join(f"{json.dumps(asdict(stone))}\n" for stone in stones).encode()
    path = folder / NAME
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        with turn(path):
            _append(handle, path, data)
    finally:
        os.close(handle)
    sync(folder)


def _append(handle: int, path: Path, data: bytes) -> None:
    whole = path.read_bytes()
    end = whole.rfind(b"\n") + 1  # what a killed or a full one left after it would spoil our line
    os.ftruncate(handle, end)
    try:
        while data:
            data = data[os.write(handle, data) :]
        sync(path)
    except BaseException:
        os.ftruncate(handle, end)
        raise
