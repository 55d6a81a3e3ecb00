"""Disks that are full, and clocks that jump."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from rejoinder.serving.decisions.limits import Clock


class Disk:
    """Stands before `os.write` for the files of one folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self.error = errno.ENOSPC
        self.writes = 0
        self._folder = folder
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, handle: int, data: bytes) -> int:
        if self._folder not in Path(f"/proc/self/fd/{handle}").readlink().parents:
            return self._write(handle, data)
        self.writes += 1
        if self.room is None:
            return self._write(handle, data)
        if self.room == 0:
            raise OSError(self.error, os.strerror(self.error))
        count = self._write(handle, data[: self.room])
        self.room -= count
        return count


@dataclass
class Time:
    """Two clocks that a test sets."""

    wall: float
    monotonic: float = 0.0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds
