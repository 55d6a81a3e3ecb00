"""Erase a conversation or a user from a log: a tombstone first, which readers obey at once, then the bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rejoinder.atomic import sync, write_bytes
from rejoinder.errors import InputError
from rejoinder.serving.decisions.files import LogFile, log_files, partial_of, remove, sole_use, turn
from rejoinder.serving.decisions.lines import numbered
from rejoinder.serving.decisions.mentions import any_record, erased_completions, mentions
from rejoinder.serving.decisions.tombstones import COMPLETION, Erased, add_tombstones, read_tombstones, tombstones

_KEPT, _GONE, _UNREADABLE = "kept", "gone", "unreadable"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased.

    Attributes:
        records: that went.
        files: that they were in.
        unreadable: lines that went because nobody can tell whose they are.
        held: names of files that living workers write. Their records are not read any more; the workers take them
            out of the files.
    """

    records: int = 0
    files: int = 0
    unreadable: int = 0
    held: tuple[str, ...] = ()


def erase(folder: Path, kind: Literal["conversation", "user"], identity: str) -> Erasure:
    """Erase what a log holds of a conversation or a user; what comes later is a new beginning.

    Args:
        folder: of the log.
        kind: of what is erased.
        identity: of it, keyed as in the records.

    Returns:
        What went, and which files living workers still hold.

    Raises:
        InputError: if there is no such folder, or what was erased before cannot be told.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: expected the folder of a decision log, got none. Next: name the one that the server writes"
        )
    before = read_tombstones(folder)
    new = tombstones(kind, [identity])
    add_tombstones(folder, new)
    files = log_files(folder)
    return erase_from(folder, files, Erased(before, whenever=new), answers=files)


def erase_from(folder: Path, files: Iterable[LogFile], erased: Erased, *, answers: Iterable[LogFile]) -> Erasure:
    """Take what is erased out of those files of a log that nobody writes.

    Args:
        folder: of the log.
        files: to rewrite.
        erased: what is to go.
        answers: files with the answers whose reactions are to go as well.

    Returns:
        What went.
    """
    completions = erased_completions(answers, erased)
    stones = tombstones(COMPLETION, sorted(completions))
    if new := [stone for stone in stones if not erased.has(stone)]:
        add_tombstones(folder, new)
    all_erased = erased.extended(stones)
    records = touched = unreadable = 0
    held: list[str] = []
    for file in files:
        with turn(folder):
            went = _rewrite(file.path, all_erased)
        if went is None:
            held += [file.path.name] if file.path.exists() else []
            continue
        records, unreadable, touched = records + went[0], unreadable + went[1], touched + (went[0] > 0)
    return Erasure(records, touched, unreadable, tuple(held))


def _rewrite(path: Path, erased: Erased) -> tuple[int, int] | None:
    """Rewrite a file without what is erased; how many records and unreadable lines went, or None if it is held."""
    ids = erased.ids
    with sole_use(path) as file:
        if file is None:
            return None
        if all(_fate(line, ids, erased) == _KEPT for _, line in numbered(file)):
            return 0, 0
        file.seek(0)
        lines: dict[str, list[bytes]] = {_KEPT: [], _GONE: [], _UNREADABLE: []}
        for _, line in numbered(file):
            lines[_fate(line, ids, erased)].append(line)
        _replace(path, b"".join(lines[_KEPT]))
    return len(lines[_GONE]), len(lines[_UNREADABLE])


def _fate(line: bytes, ids: frozenset[bytes], erased: Erased) -> str:
    if not (line.startswith(b"{") and line.endswith(b"}\n")):
        return _UNREADABLE
    if not mentions(line, ids):
        return _KEPT
    record = any_record(line)
    if record is None:
        return _UNREADABLE
    return _GONE if erased.takes(record) else _KEPT


def _replace(path: Path, data: bytes) -> None:
    if data:
        write_bytes(path, data, mode=0o600, partial=partial_of(path))
    else:
        remove(path)
        sync(path.parent)
