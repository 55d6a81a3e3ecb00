"""Read a log, in order of time, while it is being written or afterwards."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rejoinder.errors import InputError
from rejoinder.serving.decisions.files import LogFile, is_held, log_files
from rejoinder.serving.decisions.limits import MAX_LINE
from rejoinder.serving.decisions.lines import lines_of, parse
from rejoinder.serving.decisions.mentions import erased_completions
from rejoinder.serving.decisions.record import Record
from rejoinder.serving.decisions.tombstones import COMPLETION, Erased, Tombstone, read_tombstones


@dataclass(frozen=True, slots=True)
class Logged:
    """A record, and where it stands: name of its file, and line from 1."""

    file: str
    line: int
    record: Record


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no record: where it stands, and why, which quotes nothing of it."""

    file: str
    line: int
    reason: str


@dataclass(slots=True)
class Counts:
    """What was read: each line that was written to its end is a record, rejected or erased.

    Attributes:
        files: of the log.
        records: that were yielded.
        rejected: lines that are no records.
        erased: records that were passed over, since somebody wanted them erased.
        torn: last lines that were not written to their ends, by processes that were killed.
    """

    files: int = 0
    records: int = 0
    rejected: int = 0
    erased: int = 0
    torn: int = 0


Found = Logged | Rejected


def read_decisions(folder: Path, counts: Counts | None = None) -> Iterator[Found]:
    """Read a log, file after file; files that overlap in time are merged by the times of their records.

    Args:
        folder: of the log.
        counts: to count in; right once everything was read.

    Returns:
        Every line, as a record or rejected, but for torn and erased ones.

    Raises:
        InputError: if there is no such folder, or what was erased from it cannot be told.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: expected the folder of a decision log, got none. Next: name the one that the server writes"
        )
    files, stones = log_files(folder), read_tombstones(folder)
    completions = erased_completions(files, Erased(stones))
    erased = Erased([*stones, *(Tombstone(COMPLETION, identity, "") for identity in completions)])
    return _merged(files, erased, counts if counts is not None else Counts())


def _merged(files: list[LogFile], erased: Erased, counts: Counts) -> Iterator[Found]:
    """Merge files, oldest first; each is opened when its time has come, so that few are open at once."""
    waiting = deque(enumerate(files))
    heap: list[tuple[str, int, Found, Iterator[tuple[str, Found]]]] = []
    while waiting or heap:
        if waiting and (not heap or waiting[0][1].since <= heap[0][0]):
            place, file = waiting.popleft()
            items = _items(file, erased, counts)
        else:
            _, place, found, items = heapq.heappop(heap)
            yield found
        first = next(items, None)
        if first is not None:
            heapq.heappush(heap, (first[0], place, first[1], items))


def _items(file: LogFile, erased: Erased, counts: Counts) -> Iterator[tuple[str, Found]]:
    """What a file yields, and its place in time, which never goes back within a file, though a clock may."""
    counts.files += 1
    at = file.since
    for number, line in lines_of(file.path):
        found = _found(file, number, line, erased, counts)
        if isinstance(found, Logged):
            at = max(at, found.record["at"])
        if found is not None:
            yield at, found


def _found(file: LogFile, number: int, line: bytes, erased: Erased, counts: Counts) -> Found | None:
    if not line.endswith(b"\n") and len(line) < MAX_LINE:
        counts.torn += not is_held(file.path)  # of a living writer's, the rest is on its way
        return None
    try:
        record = parse(line)
    except ValueError as error:
        counts.rejected += 1
        return Rejected(file.path.name, number, str(error))
    if erased.takes(record):
        counts.erased += 1
        return None
    counts.records += 1
    return Logged(file.path.name, number, record)
