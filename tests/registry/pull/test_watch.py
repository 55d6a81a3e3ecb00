"""Watching: a store follows an alias, says what is new once, and outlives failures."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.errors import TrackingError
from registry.names import Selector
from registry.pull.sources.folder import FolderSource
from registry.pull.sources.source import ReleaseRef
from registry.pull.watch import follow
from rejoinder.errors import StoreError
from rejoinder.release.proof import Installed
from rejoinder.store.store import Store
from tests.bundles import pin, put_in_store

Step = Callable[[], object]


class Rounds(threading.Event):
    """Between two looks, does the next thing; stops when nothing is left to do."""

    def __init__(self, *steps: Step) -> None:
        """Take the steps."""
        super().__init__()
        self.steps = list(steps)
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Do not wait at all."""
        self.pauses.append(timeout)
        if not self.steps:
            return True
        self.steps.pop(0)()
        return False


class Failing(FolderSource):
    """A source that fails while it is told to."""

    error: Exception | None = None

    def resolve(self, name: str, which: Selector) -> ReleaseRef:
        """Fail, or not."""
        if self.error is not None:
            raise self.error
        return super().resolve(name, which)


def nothing() -> None:
    """A look at what has not changed."""


def watch(store: Store, source: FolderSource, *steps: Step, keep: int = 3) -> list[str]:
    """Follow the champion for as many looks as there are steps, and one; gives what was said."""
    said: list[str] = []
    rounds = Rounds(*steps)
    follow(store, "rejoinder", "champion", source=source, every=7, keep=keep, stop=rounds, say=said.append)
    assert rounds.pauses == [7] * (len(steps) + 1)
    return said


def test_a_new_release_is_followed_and_said_once(
    store: Store, other: Installed, pristine: Installed, tmp_path: Path
) -> None:
    node, second = Store(tmp_path / "node"), pin(other.bundles, serial=2)
    said = watch(node, FolderSource(store.root), nothing, lambda: put_in_store(store, second), nothing)
    assert said == [f"serving: {pristine.release}", f"serving: {second.release}"]
    assert node.current().release == second.release


def test_a_failure_is_said_once_and_the_current_release_stays(
    store: Store, pristine: Installed, tmp_path: Path
) -> None:
    node, source = Store(tmp_path / "node"), Failing(store.root)

    def fail(error: Exception | None) -> Step:
        return lambda: setattr(source, "error", error)

    down, worse = TrackingError("the server is down"), StoreError("worse")
    said = watch(node, source, fail(down), nothing, fail(OSError("odd")), fail(worse), nothing, fail(None), nothing)
    text = "not pulled, the current release stays in force: "
    served = f"serving: {pristine.release}"
    assert said == [served, f"{text}the server is down", f"{text}odd", f"{text}worse", served]
    assert node.current().release == pristine.release


def test_nothing_to_follow_yet_is_a_failure_like_any_other(
    store: Store, mine: Installed, pristine: Installed, tmp_path: Path
) -> None:
    empty = Store(tmp_path / "empty")
    copy = pristine
    said = watch(Store(tmp_path / "node"), FolderSource(empty.root), nothing)
    assert len(said) == 1
    assert said[0].startswith("not pulled, the current release stays in force: release rejoinder champion: not in")
    assert not (tmp_path / "node" / "current").exists()
    assert copy.release == store.current().release


def test_a_mistake_of_ours_is_not_passed_over(store: Store, tmp_path: Path) -> None:
    source = Failing(store.root)
    source.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        watch(Store(tmp_path / "node"), source)


def test_so_many_releases_stay_as_were_asked_for(store: Store, other: Installed, tmp_path: Path) -> None:
    node, source = Store(tmp_path / "node"), FolderSource(store.root)
    kept: list[int] = []

    def collect(_: Store, keep: int) -> list[object]:
        kept.append(keep)
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("registry.pull.pull.prune", collect)
        watch(node, source, keep=5)
    assert kept == [5]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_the_middle_of_a_pause(
    store: Store, pristine: Installed, tmp_path: Path, number: signal.Signals
) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        os.kill(os.getpid(), number)

    try:
        node = Store(tmp_path / "node")
        follow(node, "rejoinder", "champion", source=FolderSource(store.root), every=3600, say=say)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert said == [f"serving: {pristine.release}"]
