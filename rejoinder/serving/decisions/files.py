"""The files of a log: their names, who holds them, and how those that tidy take turns.

    <utc start, 20261127T194000Z>-w<worker>-<pid>-<number>.jsonl

A writer holds an exclusive lock on the file that it appends to; the kernel gives it back when the process ends,
however it ends. What removes or rewrites files that nobody holds first takes the lock of the folder.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from rejoinder.home import home
from rejoinder.serving.decisions.record import stamp

_NAME = re.compile(r"(\d{8}T\d{6}Z)-w(\d+)-(\d+)-(\d+)\.jsonl")
_START = "%Y%m%dT%H%M%SZ"
#: Who only looks whether a file is held, holds it for some microseconds.
_LOOKS, _LOOK_S = 3, 0.01


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log.

    Attributes:
        path: where it is.
        start: when it was begun, by the clock of then.
        worker: number of the worker that writes it.
        pid: its process.
        number: of the file among those of its process.
    """

    path: Path
    start: datetime
    worker: int
    pid: int
    number: int

    @property
    def since(self) -> str:
        """When it was begun, as records have it."""
        return stamp(self.start)

    def size(self) -> int:
        """Bytes; 0 if it has gone."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


def default_folder() -> Path:
    """The log's folder in the home."""
    return home() / "decisions"


def file_name(start: float, worker: int, number: int) -> str:
    """The name of a file of this process.

    Args:
        start: seconds since the epoch.
        worker: number of the worker.
        number: of the file.

    Returns:
        The name.
    """
    return f"{datetime.fromtimestamp(start, UTC).strftime(_START)}-w{worker}-{os.getpid()}-{number}.jsonl"


def log_files(folder: Path) -> list[LogFile]:
    """The files of a log, oldest first; none if the folder is not there."""
    with suppress(FileNotFoundError):
        found = [_log_file(path) for path in folder.iterdir()]
        key = lambda file: (file.start, file.worker, file.pid, file.number)  # noqa: E731
        return sorted((file for file in found if file is not None), key=key)
    return []


def _log_file(path: Path) -> LogFile | None:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    try:
        start = datetime.strptime(match[1], _START).replace(tzinfo=UTC)
    except ValueError:
        return None
    return LogFile(path, start, *(int(match[group]) for group in (2, 3, 4)))


def partial_of(path: Path) -> Path:
    """What takes a file's place once it is rewritten; a fixed name, so that what a killed one has left is found."""
    return path.with_name(f".{path.name}.part")


def remove(path: Path) -> None:
    """Remove a file, and what was left of it."""
    partial_of(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def is_held(path: Path) -> bool:
    """Whether a living process writes a file, or is rewriting it at this moment."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def hold(handle: int) -> None:
    """Mark a file that was just made as this process's own, until its handle is closed."""
    fcntl.flock(handle, fcntl.LOCK_EX)


@contextmanager
def sole_use(path: Path) -> Iterator[BinaryIO | None]:
    """Keep a writer from beginning a file that is being removed or rewritten.

    Args:
        path: of the file.

    Yields:
        The file, open for reading; None if a writer holds it or it has gone.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file if _locked(file) and os.fstat(file.fileno()).st_nlink else None


def _locked(file: BinaryIO) -> bool:
    for look in range(_LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if look < _LOOKS - 1:
                time.sleep(_LOOK_S)
    return False


@contextmanager
def turn(path: Path) -> Iterator[int]:
    """Take turns at a folder or a file: one process, or one thread, at a time.

    Args:
        path: which must exist.

    Yields:
        A handle that holds the lock, for reading only.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)
