"""What a log may take, how it tells the time, and what it counts."""

from __future__ import annotations

import errno
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

#: Why records could not be written, or what else went wrong.
FULL: Final = "full"  # the queue before the writer
CLOSED: Final = "closed"  # the log
INVALID: Final = "invalid"  # no JSON can hold the record, or it is longer than a line may be
NO_SPACE: Final = "no_space"
READ_ONLY: Final = "read_only"
IO: Final = "io"
REMOVED: Final = "removed"  # the file that was written, by somebody else: another one was begun
ERASURE: Final = "erasure"  # records that somebody wanted erased are still there: tried again
TIDYING: Final = "tidying"  # old files could not be removed: tried again
REASONS = (FULL, CLOSED, INVALID, NO_SPACE, READ_ONLY, IO, REMOVED, ERASURE, TIDYING)

_ERRNO = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), NO_SPACE),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), READ_ONLY),
}

#: Longest line that is written or read.
MAX_LINE = 16 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a log may take.

    Attributes:
        max_file: bytes of one file.
        max_total: bytes of all files together; the oldest that nobody writes go.
        queue_records: records that wait for the writer.
        queue_bytes: their bytes.
        flush_s: longest that a record waits for others to be written with it.
        sync_s: longest that what was written waits to be flushed to the disk.
        watch_s: between looks for what is to be erased.
        tidy_s: between looks for what is too old or too much, and before what failed is tried again.
    """

    max_file: int = 64 << 20
    max_total: int = 1 << 30
    queue_records: int = 4096
    queue_bytes: int = 32 << 20
    flush_s: float = 0.05
    sync_s: float = 0.5
    watch_s: float = 0.5
    tidy_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks, in seconds: what the wall says may jump, intervals are taken from the other."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Status:
    """What a log has done.

    Attributes:
        written: records.
        failed: records that were not, and other mishaps, by reason.
        removed: files that were too old or too much.
        pending: records that wait for the writer.
    """

    written: int
    failed: Mapping[str, int]
    removed: int
    pending: int


class Tally:
    """Counts for `Status`. Safe to share between threads."""

    def __init__(self, on_failure: Callable[[str], None]) -> None:
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._written = self._removed = 0
        self._failed: Counter[str] = Counter()

    def wrote(self, records: int) -> None:
        """Count records that were written."""
        with self._lock:
            self._written += records

    def removed(self, files: int) -> None:
        """Count files that were removed."""
        with self._lock:
            self._removed += files

    def failed(self, reason: str, times: int = 1) -> None:
        """Count what went wrong, and tell of it."""
        with self._lock:
            self._failed[reason] += times
        for _ in range(times):
            with suppress(Exception):  # counting must not stop what is counted
                self._on_failure(reason)

    def status(self, pending: int) -> Status:
        """The counts so far."""
        with self._lock:
            return Status(self._written, dict(self._failed), self._removed, pending)


def reason_of(error: Exception) -> str:
    """The reason as which an error is counted."""
    return _ERRNO.get(error.errno or 0, IO) if isinstance(error, OSError) else IO
