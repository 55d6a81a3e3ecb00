"""Many at once do not disturb each other; and the counting of that can fail."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from pathlib import Path
from threading import BrokenBarrierError
from unittest.mock import patch

import pytest

from faults.concurrency import concurrent_promoters, concurrent_pullers, readers_during_flips
from faults.crew import Crew, Meeting
from rejoinder.release.proof import Installed
from rejoinder.store.store import Store


def test_pullers_do_not_disturb_each_other(tmp_path: Path) -> None:
    outcome = concurrent_pullers(tmp_path, 12, 4)
    assert outcome.survived == outcome.tries == 12


def test_promoters_do_not_disturb_each_other(tmp_path: Path) -> None:
    outcome = concurrent_promoters(tmp_path, 4)
    assert outcome.survived == outcome.tries == 4


def test_readers_never_see_two_releases_mixed(tmp_path: Path) -> None:
    outcome = readers_during_flips(tmp_path, 60, 2)
    assert outcome.survived == outcome.tries == 60


def pull_unlocked() -> None:
    """Let pulls into each other's way."""
    patch("registry.pull.pull.locked", lambda _: nullcontext()).start()


def give_out_one_serial() -> None:
    """Give every release the same serial."""
    for module in ("promote", "register"):
        patch(f"registry.publish.{module}.take_serial", lambda *_: 1).start()


def read_current_twice() -> None:
    """Resolve `current` once for the document and once more for the bundles."""
    whole = Store.current

    def twice(store: Store) -> Installed:
        first = whole(store)
        time.sleep(0.005)
        return Installed(first.release, first.folder, whole(store).bundles)

    patch.object(Store, "current", twice).start()


def die(_: Meeting) -> None:
    """Die as a killed process does: no handler runs."""
    os._exit(7)


def test_a_process_that_dies_ends_the_wait() -> None:
    started = time.monotonic()
    with Crew() as crew:
        crew.start(die)
        with pytest.raises(RuntimeError, match=r"1 of 1 processes died: exit codes \[7\]"):
            crew.answer()
    assert time.monotonic() - started < 60


def fail(_: Meeting) -> None:
    """Fail before the meeting."""
    raise ValueError("planted")


def test_a_process_that_fails_breaks_the_meeting() -> None:
    with Crew(2) as crew:
        crew.start(fail)
        with pytest.raises(BrokenBarrierError):
            crew.meeting.begin()


def test_pulls_without_a_lock_are_found(tmp_path: Path) -> None:
    outcome = concurrent_pullers(tmp_path, 4, 2, pull_unlocked)
    assert outcome.survived < outcome.tries


def test_a_serial_given_out_twice_is_found(tmp_path: Path) -> None:
    assert concurrent_promoters(tmp_path, 3, give_out_one_serial).survived < 3


def test_a_mixed_read_is_found(tmp_path: Path) -> None:
    assert readers_during_flips(tmp_path, 60, 2, read_current_twice).survived < 60
