"""Workers: one process for everything that is timed, so that nobody's threads and memory are in another's way.

A worker opens what it is named, says what memory it takes, and then works as often as it is told; it counts its
own seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any

MODULE = "benchmarks.generator.work"


@dataclass(frozen=True, slots=True)
class Spent:
    """What one piece of work took: seconds by the clock and of CPU."""

    wall: float
    cpu: float


class Worker:
    """A process that works when it is told."""

    def __init__(self, kind: str, words: Sequence[str], threads: int) -> None:
        """Start it, and wait until it is ready.

        Args:
            kind: what it does: a name in `benchmarks.generator.work`.
            words: with what.
            threads: that it may compute with.

        Raises:
            RuntimeError: if it ends before it is ready.
        """
        number = str(threads)
        environment = {**os.environ, "REJOINDER_THREADS": number, "OMP_NUM_THREADS": number, "REJOINDER_QUIET": "1"}
        command = [sys.executable, "-m", MODULE, kind, *words]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.ready: dict[str, Any] = self._line()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def work(self, **task: Any) -> dict[str, Any]:
        """Let it do one piece of work.

        Args:
            **task: what it needs to know.

        Returns:
            What it says of it.
        """
        pipe = _open(self._process.stdin)
        pipe.write(json.dumps(task) + "\n")
        pipe.flush()
        return self._line()

    def timed(self, **task: Any) -> Spent:
        """Let it do one piece of work, for its seconds."""
        found = self.work(**task)
        return Spent(found["wall"], found["cpu"])

    def _line(self) -> dict[str, Any]:
        line = _open(self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"{MODULE}: expected an answer, got the end of the process ({self._process.wait()})")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """Let it end."""
        _open(self._process.stdin).close()
        self._process.wait(60)
        _open(self._process.stdout).close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError(f"{MODULE}: expected a pipe, got none")
    return pipe
