"""The steps that a process does to some folders, counted; and its end right before one of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from faults.scene import Node, Sabotage, Scene, apart, nothing
from registry.pull.pull import pull
from registry.pull.sources.folder import FolderSource
from rejoinder.parts.opened import open_current

EVERY = 10_000  # more than there are steps
_ONE_PATH = frozenset({"os.mkdir", "os.remove", "os.rmdir", "os.truncate"})


class Steps:
    """Counts what a process does to some folders; ends it right before one of these steps."""

    def __init__(self, roots: Sequence[Path], die_at: int, end: Callable[[], None] | None = None) -> None:
        """Watch from now on.

        Args:
            roots: the folders.
            die_at: number of the first step that is not to be; 0 for none.
            end: what happens then; by default it is killed.
        """
        self.done = 0
        self.die_at = die_at
        self._end = end or _die
        self._prefixes = tuple(f"{root}/" for root in roots)
        sys.addaudithook(self._hear)
        os.fsync = self._before(os.fsync)
        os.sendfile = self._before(os.sendfile, self._send_half)

    def step(self, dying: Callable[[], object] = nothing) -> None:
        """Count one step, or die.

        Args:
            dying: done in part before death.
        """
        self.done += 1
        if 0 < self.die_at <= self.done:
            dying()
            self._end()

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Audit events come before what they announce."""
        if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self._step_at(args[0])
        elif event == "os.rename":  # of os.replace too
            self._step_at(args[1], args[3])
        elif event in _ONE_PATH:
            self._step_at(args[0], args[-1])

    def _before(self, act: Callable[..., Any], dying: Callable[..., object] | None = None) -> Callable[..., Any]:
        def stepping(handle: int, *args: Any) -> Any:
            self._step_at(handle, dying=(lambda: dying(act, handle, *args)) if dying else nothing)
            return act(handle, *args)

        return stepping

    def _step_at(self, place: object, folder: object = -1, dying: Callable[[], object] = nothing) -> None:
        if f"{_path(place, folder)}".startswith(self._prefixes):
            self.step(dying)

    @staticmethod
    def _send_half(act: Callable[..., Any], out: int, source: int, offset: int, _count: int) -> None:
        act(out, source, offset, os.fstat(source).st_size // 2)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _path(place: object, folder: object) -> str:
    """A path as the kernel knows it, of an open file, or relative to an open folder."""
    if isinstance(place, int):
        return str(Path(f"/proc/self/fd/{place}").readlink())
    path = os.fsdecode(place) if isinstance(place, str | bytes | os.PathLike) else ""
    if isinstance(folder, int) and folder >= 0 and not path.startswith("/"):
        return f"{Path(f'/proc/self/fd/{folder}').readlink()}/{path}"
    return str(Path(path).absolute())


def count_steps(root: Path, target: Callable[..., None], *args: Any) -> int:
    """How many steps it takes if nothing kills it."""
    report = root / "steps"
    if apart(target, *args, 0, report) != 0:
        raise RuntimeError("it fails without being killed")
    return int(report.read_text())


def install(node: Node, source: Path, sabotage: Sabotage, die_at: int, report: Path) -> None:
    sabotage()
    steps = Steps([node.root], die_at)
    pull(node.store, source=FolderSource(source), trust=node.trust)
    report.write_text(str(steps.done))


def completes(scene: Scene, node: Node) -> bool:
    pull(node.store, source=FolderSource(scene.source), trust=node.trust)
    opened = open_current(node.store, trust=node.trust)
    opened.close()
    return opened.release == scene.new and node.serves(scene.new) and node.is_tidy()
