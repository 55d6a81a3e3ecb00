"""Batcher: threads that take what is waiting together, up to so many rows, and answer each as soon as it is ready.

Nobody waits for company while a thread is idle: a batch is what has come while all were busy. What waits is
bounded; what nobody waits for any more is left out; what fails, fails alone.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from rejoinder.errors import ClosedError, QueueFullError

T = TypeVar("T")
_NEWEST = 0.1  # weight of the last batch in the pace of late


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a batcher takes.

    Attributes:
        rows: most of a batch; a job of more is a batch of its own.
        queue_rows: most that may wait; what comes then is refused.
        queue_s: seconds that one may have to wait, by the pace of late; what would wait longer is refused. 0: any.
        wait_s: seconds that the first of a batch waits for company, if fewer rows are there.
    """

    rows: int = 16
    queue_rows: int = 64
    queue_s: float = 0.0
    wait_s: float = 0.0


@dataclass(slots=True, eq=False)
class Job(Generic[T]):
    """Something to be answered.

    Attributes:
        using: what it is answered with; a batch may hold jobs that differ in it.
        texts: what is encoded for it.
        work: makes the answer, after its texts were encoded.
        rows: how much it counts for.
        until: moment of `time.monotonic` after which nobody waits.
        answer: where the answer appears, or the error.
        has_left: whether the one who asked has gone away.
        queued: moment of `time.monotonic` when it came.
        waited_s: seconds until a thread took it.
        behind: jobs of its batch that come after it.
        spared_s: seconds of its work that would have been left out, had others waited: no part of the pace.
    """

    using: Any
    texts: Callable[[], Sequence[str]]
    work: Callable[[Job[T]], T]
    rows: int = 1
    until: float = float("inf")
    answer: Future[T] = field(default_factory=Future)
    has_left: bool = False
    queued: float = field(default_factory=time.monotonic)
    waited_s: float = 0.0
    behind: int = 0
    spared_s: float = 0.0

    def is_wanted(self) -> bool:
        """Whether somebody waits for the answer."""
        return not self.has_left and time.monotonic() < self.until

    def finish(self) -> None:
        """Answer, whatever comes of it."""
        try:
            self.answer.set_result(self.work(self))
        except BaseException as error:  # goes to who asked, and to nobody else of the batch
            self.answer.set_exception(error)


class Batcher:
    """Threads before whatever answers. Safe to share between threads."""

    def __init__(
        self,
        run: Callable[[Sequence[Job[Any]]], None],
        threads: int = 1,
        bounds: Bounds | None = None,
    ) -> None:
        """Start the threads.

        Args:
            run: answers the jobs of a batch; those that it leaves without an answer get its error.
            threads: that call it at once.
            bounds: how much is taken.
        """
        self._run, self._bounds = run, bounds or Bounds()
        self._waiting: deque[Job[Any]] = deque()
        self._changed = threading.Condition()  # guards everything here
        self._rows, self._is_closed = 0, False
        self._unfinished, self._row_s = 0, 0.0
        self._threads = [
            threading.Thread(target=self._serve, name=f"rejoinder-batch-{n}", daemon=True) for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Rows that wait."""
        return self._rows

    def submit(self, job: Job[T]) -> Future[T]:
        """Put a job into the queue.

        Args:
            job: not yet submitted.

        Returns:
            Its answer to be.

        Raises:
            QueueFullError: if too much is waiting.
            ClosedError: after `close`.
        """
        with self._changed:
            if self._is_closed:
                raise ClosedError("the server is going away: expected one that serves. Next: ask again")
            self._check_room(job.rows)
            self._waiting.append(job)
            self._rows += job.rows
            self._unfinished += job.rows
            self._changed.notify()
        rows = job.rows  # a callback that held the job would be held by it, and with it an open release
        job.answer.add_done_callback(lambda _: self._finish(rows))
        return job.answer

    def _check_room(self, rows: int) -> None:
        bounds, wait_s = self._bounds, self._unfinished * self._row_s / len(self._threads)
        if self._rows and self._rows + rows > bounds.queue_rows:
            raise QueueFullError(
                f"too many requests: expected at most {bounds.queue_rows} rows to wait, got {self._rows} and "
                f"{rows} more. Next: ask again in a second"
            )
        if bounds.queue_s and self._rows and wait_s > bounds.queue_s:
            raise QueueFullError(
                f"too many requests: expected to wait {bounds.queue_s:g} s at most, got {wait_s:.2f} s. "
                "Next: ask again in a second"
            )

    def _finish(self, rows: int) -> None:
        with self._changed:
            self._unfinished -= rows

    def close(self) -> None:
        """Answer what is waiting, and end the threads."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while self._serve_batch():
            pass

    def _serve_batch(self) -> bool:
        """Answer a batch; false when there will be none. Its jobs die with it: they hold a release open."""
        batch = self._take()
        now = time.monotonic()
        wanted = [job for job in batch or () if job.answer.set_running_or_notify_cancel()]
        for behind, job in enumerate(reversed(wanted)):
            job.waited_s, job.behind = now - job.queued, behind
        _run_safely(self._run, wanted)
        spared_s = sum(job.spared_s for job in wanted)
        self._learn_pace(sum(job.rows for job in wanted), max(0.0, time.monotonic() - now - spared_s))
        return batch is not None

    def _learn_pace(self, rows: int, seconds: float) -> None:
        if rows:
            with self._changed:
                share = _NEWEST if self._row_s else 1.0
                self._row_s += share * (seconds / rows - self._row_s)

    def _take(self) -> list[Job[Any]] | None:
        """Wait for jobs, and take a fair share of them; None when closed and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if self._waiting and self._bounds.wait_s > 0:
                self._changed.wait_for(lambda: self._rows >= self._bounds.rows, self._bounds.wait_s)
            if not self._waiting and self._is_closed:
                return None
            share = min(self._bounds.rows, -(-self._rows // len(self._threads)))
            batch: list[Job[Any]] = []
            rows = 0
            while self._waiting and (not batch or rows + self._waiting[0].rows <= share):
                batch.append(self._waiting.popleft())
                rows += batch[-1].rows
            self._rows -= rows
            return batch


def _run_safely(run: Callable[[Sequence[Job[Any]]], None], batch: Sequence[Job[Any]]) -> None:
    try:
        if batch:
            run(batch)
    except BaseException as error:  # a thread that dies would leave everybody waiting
        for job in batch:
            if not job.answer.done():
                job.answer.set_exception(error)
