"""Power: cut it in the middle of what a process does to files, as if the process were killed at that very step.

The interpreter tells an audit hook of every file that is opened for writing, renamed or removed. From the cut on,
every further step fails as well, so that no cleaning up that comes after it in the code has any effect; a file that
was being opened for writing is left torn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
TORN = b"{"


class PowerCut(BaseException):
    """The process is dead. No `Exception`, so that nothing that handles errors handles it."""


@dataclass
class Power:
    """How long the power lasts.

    Attributes:
        root: only what lies below it counts.
        left: steps until the cut; None for no cut.
        is_off: whether it has been cut.
        steps: that were done with the power on.
    """

    root: str
    left: int | None = None
    is_off: bool = False
    steps: int = 0

    def step(self, tear: Callable[[], object] | None = None) -> None:
        """Do one step, or die before it.

        Args:
            tear: what half of the step leaves behind.

        Raises:
            PowerCut: if the power is off.
        """
        if not self.is_off and self.left is not None and self.left <= 0:
            self.is_off = True
            if tear is not None:
                tear()
        if self.is_off:
            raise PowerCut
        self.steps += 1
        if self.left is not None:
            self.left -= 1

    @contextmanager
    def cut_after(self, steps: int | None) -> Iterator[None]:
        """Cut the power after so many steps; it is on again afterwards."""
        self.left, self.is_off = steps, False
        try:
            yield
        finally:
            self.left, self.is_off = None, False


_watched: list[Power] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if not _watched:
        return
    power = _watched[-1]
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITING and _is_below(path, power.root):
            power.step(None if str(path).endswith("lock") else lambda: _tear(str(path), flags))
    elif event in _CHANGES and (_is_below(arguments[0], power.root) or _has_folder(arguments)):
        power.step()


def _is_below(path: object, root: str) -> bool:
    # The kernel frees a lock however its holder ends: opening one is a step only while the power is on.
    return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(root) and not _is_free(path)


def _is_free(path: object) -> bool:
    return _watched[-1].is_off and str(path).endswith("lock")


def _has_folder(arguments: tuple[object, ...]) -> bool:
    """Whether a path is relative to an open folder, as `shutil.rmtree` names what it removes."""
    return isinstance(arguments[-1], int) and arguments[-1] >= 0 and not Path(str(arguments[0])).is_absolute()


def _tear(path: str, flags: int) -> None:
    watched = _watched.pop()
    try:
        handle = os.open(path, flags | os.O_WRONLY, 0o600)
        os.write(handle, TORN)
        os.close(handle)
    except OSError:
        pass  # its folder is not there: nothing was opened
    finally:
        _watched.append(watched)


@contextmanager
def watched(root: str) -> Iterator[Power]:
    """Count, and cut where asked, everything that this process does to files below a folder.

    Args:
        root: the folder.

    Yields:
        The power.
    """
    if not getattr(sys, "_rejoinder_power", False):
        sys.addaudithook(_hook)  # for good: a hook cannot be taken away
        sys._rejoinder_power = True  # type: ignore[attr-defined]
    real_fsync = os.fsync
    power = Power(root)

    def fsync(fd: Any) -> None:
        power.step()  # the disk itself keeps what it was given: only the process dies

    _watched.append(power)
    os.fsync = fsync
    try:
        yield power
    finally:
        os.fsync = real_fsync
        _watched.pop()
