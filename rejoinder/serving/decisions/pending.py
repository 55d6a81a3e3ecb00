"""The queue in front of the writer: who puts a record in never waits, and is told if there is no room."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass

from rejoinder.serving.decisions.limits import CLOSED, FULL, Limits


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A record on its way to the disk, or a request to the writer that takes its turn among records.

    Attributes:
        line: the record, with its line end; empty for a request.
        durable: whether somebody waits until it is on the disk.
        future: told whether it is.
        rotate: whether the file is to be closed.
    """

    line: bytes
    durable: bool
    future: Future[bool]
    rotate: bool = False


def new_future() -> Future[bool]:
    """A future that whoever waits for it cannot cancel: the record is written all the same."""
    future: Future[bool] = Future()
    future.set_running_or_notify_cancel()
    return future


class Pending:
    """A bounded queue. Safe to share between threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = threading.Condition(threading.Lock())  # guards everything below
        self._items: list[Item] = []
        self._records = self._bytes = 0
        self._since = 0.0
        self._is_urgent = self._is_closed = False

    def __len__(self) -> int:
        return self._records

    def put(self, item: Item) -> str | None:
        """Add an item.

        Args:
            item: to be written.

        Returns:
            Why there is no room for it, or None.
        """
        with self._changed:
            if self._is_closed:
                return CLOSED
            if item.line and self._has_no_room(item):
                return FULL
            wakes = not self._items or (item.durable and not self._is_urgent)
            if not self._items:
                self._since = time.monotonic()
            self._items.append(item)
            self._records += bool(item.line)
            self._bytes += len(item.line)
            self._is_urgent |= item.durable
            if wakes:
                self._changed.notify_all()
        return None

    def take(self, patience: float | None) -> tuple[list[Item], bool]:
        """Take what waits: at once if somebody waits for it, else when the oldest has waited for others.

        Args:
            patience: seconds to wait for a first item; None for as long as it takes.

        Returns:
            The items, oldest first, and whether the queue is closed, so that these are the last.
        """
        with self._changed:
            until = None if patience is None else time.monotonic() + patience
            while (left := self._wait(until)) is None or left > 0:
                self._changed.wait(left)
            items, self._items = self._items, []
            self._records = self._bytes = 0
            self._is_urgent = False
            return items, self._is_closed

    def close(self) -> None:
        """Let nothing more in."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _wait(self, until: float | None) -> float | None:
        """Seconds that are still to be waited, from now; None: until something changes."""
        if self._is_urgent or self._is_closed:
            return 0.0
        if self._items:
            due = self._since + self._limits.flush_s
            until = due if until is None else min(due, until)
        return None if until is None else until - time.monotonic()

    def _has_no_room(self, item: Item) -> bool:
        is_too_many = self._records >= self._limits.queue_records
        return is_too_many or self._bytes + len(item.line) > self._limits.queue_bytes
