"""Processes that begin together and tell what they have seen; one that dies ends the wait of all at once."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from typing import Any

from faults.scene import processes

_TIMEOUT = 300  # seconds that processes wait for each other
_POLL = 1.0  # seconds between two looks at whether all are alive


@dataclass(frozen=True)
class Meeting:
    """What each process is given: where all begin together, and where answers go."""

    barrier: Barrier
    answers: Any

    def begin(self) -> None:
        """Wait for all."""
        self.barrier.wait(_TIMEOUT)


class Crew:
    """Processes of one meeting; those that still run are killed at the end."""

    def __init__(self, meets: int = 0) -> None:
        """Hire nobody yet.

        Args:
            meets: how many wait for each other at `begin`; 0 where nobody does.
        """
        self.meeting = Meeting(processes().Barrier(max(1, meets)), processes().Queue())
        self._workers: list[BaseProcess] = []

    def start(self, target: Callable[..., None], *args: Any) -> None:
        """Start one process; `target` gets the meeting and `args`."""
        worker = processes().Process(target=_work, args=(target, self.meeting, *args), daemon=True)
        worker.start()
        self._workers.append(worker)

    def answer(self) -> Any:
        """Wait for what the next one has seen.

        Returns:
            It.

        Raises:
            RuntimeError: if one died, or none answers.
        """
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            try:
                return self.meeting.answers.get(timeout=_POLL)
            except queue.Empty:
                self._check_alive()
        raise RuntimeError(f"no process answered for {_TIMEOUT} s")

    def _check_alive(self) -> None:
        dead = [worker.exitcode for worker in self._workers if worker.exitcode]
        if dead:
            raise RuntimeError(
                f"{len(dead)} of {len(self._workers)} processes died: exit codes {sorted(set(dead))}"
            )

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: object) -> None:
        """Wait for all that run; after an error, for none."""
        for worker in self._workers:
            if error == (None, None, None):
                worker.join(_TIMEOUT)
            if worker.is_alive():
                worker.kill()


def _work(target: Callable[..., None], meeting: Meeting, *args: Any) -> None:
    try:
        target(meeting, *args)
    except BaseException:
        meeting.barrier.abort()
        raise
