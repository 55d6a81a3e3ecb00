"""The file that a worker appends to: it holds whole lines only, whatever a write does."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rejoinder.atomic import sync
from rejoinder.serving.decisions.files import file_name, hold
from rejoinder.serving.decisions.limits import Clock

_DAY_S = 86400.0
_MIN_DAY_S = 60.0


class Segment:
    """A file that this process has made, holds and appends to. For one thread."""

    def __init__(self, path: Path, handle: int, start: float, clock: Clock) -> None:
        """Take over a new file; `begin` makes one.

        Args:
            path: of the file.
            handle: it is open for appending.
            start: by the clock on the wall, as its name says.
            clock: for its age.
        """
        self.path = path
        self.size = 0
        self.is_dirty = False
        self.is_torn = False
        self._handle = handle
        self._clock = clock
        self._day = _day(start)
        self._began = clock.monotonic()

    @classmethod
    def begin(cls, folder: Path, worker: int, number: int, clock: Clock) -> Segment:
        """Make a file, and hold it. The name is on the disk when this returns.

        Args:
            folder: of the log; made if it is not there.
            worker: number of the worker.
            number: of the file; a name that was taken, by a clock that jumped back, is left alone.
            clock: for its name and its age.

        Returns:
            The file, empty.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        while True:
            start = clock.wall()
            path = folder / file_name(start, worker, number)
            number += 1
            with suppress(FileExistsError):
                segment = cls(path, os.open(path, flags, 0o600), start, clock)
                if segment._take():
                    return segment

    def write(self, lines: Sequence[bytes]) -> tuple[int, OSError | None]:
        """Append lines.

        Args:
            lines: each with its line end.

        Returns:
            How many stand in the file as a whole, and what kept the others out. Nothing is left of those.
        """
        data = memoryview(b"".join(lines))
        done = 0
        try:
            while done < len(data):
                done += self._write(data[done:])
        except OSError as error:
            return self._repair(lines, done), error
        self.size += done
        self.is_dirty = True
        return len(lines), None

    def sync(self) -> None:
        """Flush what was written to the disk."""
        if self.is_dirty:
            os.fdatasync(self._handle)
            self.is_dirty = False

    def is_over(self) -> bool:
        """Whether its day is. A clock that jumps to and fro does not make a file each time."""
        age = self._clock.monotonic() - self._began
        return age >= _DAY_S or (age >= _MIN_DAY_S and _day(self._clock.wall()) != self._day)

    def is_in_place(self) -> bool:
        """Whether its path still leads to it: nobody has removed it, or its folder."""
        with suppress(OSError):
            return os.path.samestat(self.path.stat(), os.fstat(self._handle))
        return False

    def close(self) -> None:
        """Let go of it; one that nothing was written to is removed."""
        try:
            self.sync()
            if self.size == 0 and self.is_in_place():
                self.path.unlink()
        finally:
            os.close(self._handle)

    def _take(self) -> bool:
        is_ours = False
        try:
            hold(self._handle)  # waits for one who found it before it was held
            if self.is_in_place():
                sync(self.path.parent)
                is_ours = True
        finally:
            if not is_ours:
                os.close(self._handle)
        return is_ours

    def _write(self, data: memoryview) -> int:
        count = os.write(self._handle, data)
        if count == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return count

    def _repair(self, lines: Sequence[bytes], done: int) -> int:
        whole = end = 0
        for line in lines:
            if end + len(line) > done:
                break
            whole, end = whole + 1, end + len(line)
        self.size += end
        self.is_dirty |= end > 0
        try:
            os.ftruncate(self._handle, self.size)
        except OSError:
            self.is_torn = True  # nothing may follow: the reader forgives the last line
        return whole


def _day(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).date().isoformat()
