"""The writer: takes records from the queue to the disk, those that came together together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rejoinder.serving.decisions.limits import REMOVED, Clock, Limits, Tally, reason_of
from rejoinder.serving.decisions.pending import Item, Pending
from rejoinder.serving.decisions.segment import Segment


class Writer:
    """Writes one file after the other. `run` is for a thread of its own."""

    def __init__(
        self, folder: Path, pending: Pending, tally: Tally, *, worker: int, limits: Limits, clock: Clock
    ) -> None:
        """Prepare to write; the first file is made for the first record.

        Args:
            folder: of the log.
            pending: where records come from.
            tally: counts them.
            worker: number of the worker.
            limits: sizes and times.
            clock: for the names of files.
        """
        self.rotated: Callable[[], None] = lambda: None
        self.path: Path | None = None
        self._folder = folder
        self._pending = pending
        self._tally = tally
        self._worker = worker
        self._limits = limits
        self._clock = clock
        self._segment: Segment | None = None
        self._number = 0
        self._dirty_since = 0.0

    def run(self) -> None:
        """Write until the queue is closed and empty."""
        is_last = False
        while not is_last:
            items, is_last = self._pending.take(self._patience())
            try:
                self._take(items)
            except Exception as error:  # a writer that ends would let the queue run full for ever
                self._fail([item for item in items if not item.future.done()], reason_of(error))
        self._close()

    def _patience(self) -> float | None:
        if self._segment is None or not self._segment.is_dirty:
            return None
        return max(0.0, self._dirty_since + self._limits.sync_s - self._clock.monotonic())

    def _take(self, items: list[Item]) -> None:
        records = [item for item in items if item.line]
        while records:
            records = self._write_some(records)
        segment = self._segment
        if segment is not None and self._patience() == 0.0:
            self._sync(segment)
        if any(item.rotate for item in items) or (segment is not None and segment.is_over()):
            self._close()
        for item in items:
            if not item.line:
                item.future.set_result(True)

    def _write_some(self, records: list[Item]) -> list[Item]:
        """Write what one file has room for; returns the others."""
        try:
            segment = self._ready(len(records[0].line))
        except OSError as error:
            self._fail(records, reason_of(error))
            return []
        count = self._fitting(records, segment)
        some, others = records[:count], records[count:]
        was_dirty = segment.is_dirty
        whole, problem = segment.write([item.line for item in some])
        if not was_dirty:
            self._dirty_since = self._clock.monotonic()
        self._confirm(segment, some[:whole])
        if problem is not None:
            self._fail(some[whole:], reason_of(problem))
        if segment.is_torn:
            self._close()
        return others

    def _fitting(self, records: Sequence[Item], segment: Segment) -> int:
        size = segment.size
        for count, item in enumerate(records):
            size += len(item.line)
            if count and size > self._limits.max_file:
                return count
        return len(records)

    def _ready(self, size: int) -> Segment:
        segment = self._segment
        if segment is not None and not segment.is_in_place():
            self._tally.failed(REMOVED)
            self._close()
        elif segment is not None and segment.size and segment.size + size > self._limits.max_file:
            self._close()
        if self._segment is None:
            self._segment = Segment.begin(self._folder, self._worker, self._number, self._clock)
            self.path = self._segment.path
            self._number += 1
        return self._segment

    def _confirm(self, segment: Segment, records: Sequence[Item]) -> None:
        self._tally.wrote(len(records))
        is_safe = not any(item.durable for item in records) or self._sync(segment)
        for item in records:
            item.future.set_result(is_safe or not item.durable)

    def _sync(self, segment: Segment) -> bool:
        try:
            segment.sync()
        except OSError as error:
            # What of it is on the disk is not known, and a second try may succeed without having written anything.
            self._tally.failed(reason_of(error))
            segment.is_dirty, segment.is_torn = False, True
            if segment is self._segment:
                self._close()
            return False
        return True

    def _close(self) -> None:
        segment, self._segment, self.path = self._segment, None, None
        if segment is None:
            return
        try:
            segment.close()
        except OSError as error:
            self._tally.failed(reason_of(error))
        with suppress(Exception):
            self.rotated()

    def _fail(self, items: Sequence[Item], reason: str) -> None:
        self._tally.failed(reason, len(items))
        for item in items:
            item.future.set_result(False)
