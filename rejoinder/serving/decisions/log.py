"""The decision log of one process: records go in from any thread, and are on the disk soon.

An answer is written within 100 ms and flushed to the disk within a second. A reaction or feedback is durable: its
future tells when it was flushed, together with others that came meanwhile. A disk slower than that is waited for by
the writer alone: who appends never waits, and if the queue is full the record is dropped and counted.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from rejoinder.serving.decisions.keeper import Hand, Keeper
from rejoinder.serving.decisions.limits import INVALID, MAX_LINE, Clock, Limits, Status, Tally
from rejoinder.serving.decisions.pending import Item, Pending, new_future
from rejoinder.serving.decisions.record import TEXTS
from rejoinder.serving.decisions.writer import Writer

#: Seconds that the keeper waits for the writer before it does without.
_PATIENCE_S = 5.0
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))


def _nothing(_: str) -> None:
    """Tell nobody."""


class DecisionLog:
    """Writes records to the files of one worker. Safe to share between threads; one a process and worker."""

    def __init__(
        self,
        folder: Path,
        *,
        with_text: bool,
        worker: int = 0,
        retention_days: float | None = None,
        limits: Limits | None = None,
        on_failure: Callable[[str], None] = _nothing,
        clock: Clock | None = None,
    ) -> None:
        """Open a log; files are made when there is something to write.

        Args:
            folder: of the log, shared with other workers; made if it is not there.
            with_text: whether texts may be written. If not, they are taken out of what is appended.
            worker: number of this worker.
            retention_days: age at which files go, whatever is in them; None to keep them while there is room.
            limits: sizes and times; by default those of `Limits`.
            on_failure: told of each record that could not be written, and of what else went wrong: a reason of
                `limits.REASONS`. Called from several threads.
            clock: for names, days and ages.
        """
        limits, clock = limits or Limits(), clock or Clock()
        self._with_text = with_text
        self._tally = Tally(on_failure)
        self._pending = Pending(limits)
        self._writer = Writer(folder, self._pending, self._tally, worker=worker, limits=limits, clock=clock)
        hand = Hand(lambda: self._writer.path, self._flush, lambda: self._flush(rotate=True))
        self._keeper = Keeper(
            folder,
            hand,
            self._tally,
            worker=worker,
            limits=limits,
            clock=clock,
            retention_days=retention_days,
        )
        self._writer.rotated = self._keeper.nudge.set
        self._threads = [
            threading.Thread(target=run, name=f"rejoinder-decisions-{name}", daemon=True)
            for name, run in (("writer", self._writer.run), ("keeper", self._keeper.run))
        ]
        for thread in self._threads:
            thread.start()

    def append(self, record: Mapping[str, Any], durable: bool = False) -> Future[bool]:
        """Add a record. Neither waits nor raises.

        Args:
            record: made by `rejoinder.serving.decisions.record`.
            durable: whether the future is to tell that it is on the disk, not only written.

        Returns:
            A future: True once the record is safe, False if it could not be written. It cannot be cancelled.
        """
        future = new_future()
        try:
            reason = self._pending.put(Item(self._line(record), durable, future))
        except Exception:  # a record that cannot be written is no reason not to answer
            reason = INVALID
        if reason is not None:
            self._tally.failed(reason)
            future.set_result(False)
        return future

    def status(self) -> Status:
        """What was written, what was not and why."""
        return self._tally.status(len(self._pending))

    def close(self, timeout: float = 5.0) -> bool:
        """Write what waits, flush it to the disk and let go of the file.

        Args:
            timeout: seconds to wait for that.

        Returns:
            Whether it is done.
        """
        until = time.monotonic() + timeout
        self._keeper.stop()
        self._pending.close()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not self._threads[0].is_alive()

    def _line(self, record: Mapping[str, Any]) -> bytes:
        if not self._with_text:
            record = {key: value for key, value in record.items() if key not in TEXTS}
        text = _ENCODER.encode(record)
        # Halves of surrogate pairs, which no encoding can hold, become JSON's own escapes.
        line = f"{text}\n".encode("utf-8", "backslashreplace")
        if len(line) >= MAX_LINE:
            raise ValueError("too long")
        return line

    def _flush(self, *, rotate: bool = False) -> None:
        future = new_future()
        if self._pending.put(Item(b"", True, future, rotate)) is None:
            future.result(_PATIENCE_S)
