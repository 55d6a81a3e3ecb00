"""What a holder does while it follows a store, and `current` changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from registry.pull.install import activate, locked
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.errors import SwapError
from rejoinder.parts.opened import open_release
from rejoinder.release.proof import Installed
from rejoinder.serving.holder import Holder
from rejoinder.store.store import Store
from tests.bundles import pin, put_in_store
from tests.rejoinder.serving.apis import until

HELLO = Dialogue((Turn("user", "hello"),))


def point(store: Store, content: bytes) -> None:
    """Replace `current` by one rename, as an install does: between truncating and writing it would be empty."""
    partial = store.root / "current.part"
    partial.write_bytes(content)
    partial.replace(store.current_file)


def within_ten_looks(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true while the store is looked at some ten times."""
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return condition()


@pytest.fixture
def reports() -> list[Exception]:
    return []


@pytest.fixture
def following(store: Store, reports: list[Exception]) -> Iterator[Holder]:
    holder = Holder(open_release(store.current()))
    end = holder.follow(store, every=0.005, report=reports.append)
    yield holder
    end()


def test_it_picks_up_a_flip_and_the_way_back(
    store: Store, following: Holder, second: Installed, reports: list[Exception]
) -> None:
    first = store.current().release
    put_in_store(store, second)
    assert until(lambda: following.status().release == second.release)
    with locked(store):
        activate(store, first)
    assert until(lambda: following.status().release == first)
    assert reports == []
    assert until(lambda: following.status().draining == 0)


def test_a_broken_release_is_reported_once_and_the_next_one_is_taken(
    store: Store, following: Holder, second: Installed, reports: list[Exception]
) -> None:
    first = store.current().release
    put_in_store(store, second)
    broken = pin(store.current().bundles, serial=3)
    damaged = store.bundle_dir(second.release.bundles["index"]) / "replies.jsonl"
    assert until(lambda: following.status().release == second.release)
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + b"#")
    put_in_store(store, broken)
    assert until(lambda: len(reports) == 1)
    assert not within_ten_looks(lambda: len(reports) > 1)
    assert isinstance(reports[0], SwapError)
    assert "replies.jsonl" in str(reports[0])
    assert following.answer(HELLO).trace.release == str(second.release)
    damaged.write_bytes(whole)
    assert not within_ten_looks(lambda: following.status().release != second.release)
    with locked(store):
        activate(store, first)
    assert until(lambda: following.status().release == first)
    with locked(store):
        activate(store, broken.release)
    assert until(lambda: following.status().release == broken.release)
    assert len(reports) == 1


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"sha256:" + b"0" * 64])
def test_a_pointer_to_nowhere_is_reported_once(
    store: Store, following: Holder, reports: list[Exception], content: bytes
) -> None:
    release = following.status().release
    kept = store.current_file.read_bytes()
    point(store, content)
    assert until(lambda: len(reports) == 1)
    assert following.status().release == release
    point(store, kept)
    assert not within_ten_looks(lambda: len(reports) > 1)
    assert following.status().swaps == 0


def test_without_a_listener_it_is_logged(store: Store, mine: Installed, caplog: pytest.LogCaptureFixture) -> None:
    holder = Holder(open_release(store.current()))
    with caplog.at_level(logging.WARNING, logger="rejoinder.serving.following"):
        end = holder.follow(store, every=0.005)
        store.current_file.unlink()
        assert until(lambda: "no release is installed" in caplog.text)
        end()
    assert not any(thread.name == "rejoinder-follow" for thread in threading.enumerate())
