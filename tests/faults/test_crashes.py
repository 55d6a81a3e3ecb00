"""Killed at any step, what is served stays whole; and the counting of that can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import registry.pull.pull
from faults import crashes
from faults.crashes import killed_installs, killed_releases
from faults.scene import evenly, two_releases
from faults.steps import count_steps, install
from registry.pull.freshness import record
from registry.pull.install import activate
from rejoinder.store.store import Store


def test_steps_are_chosen_evenly() -> None:
    assert evenly(4, 10) == [1, 2, 3, 4]
    assert evenly(121, 4) == [1, 41, 81, 121]
    assert evenly(5, 1) == [1]


def test_an_install_survives_a_kill(tmp_path: Path) -> None:
    outcome = killed_installs(tmp_path, 6)
    assert outcome.survived == outcome.tries == 6
    assert int(outcome.note.split()[3]) >= 37


def test_a_release_survives_a_kill(tmp_path: Path) -> None:
    outcome = killed_releases(tmp_path, 2)
    assert outcome.survived == outcome.tries == 2
    assert int(outcome.note.split()[2]) >= 10


def activate_first() -> None:
    """Break the order of an install."""
    bundles = registry.pull.pull._bundles

    def early(source: Any, store: Any, release: Any) -> bool:
        activate(store, release)
        return bundles(source, store, release)

    patch("registry.pull.pull._bundles", early).start()


def activate_before_recording() -> None:
    """Remember a release only after it is served: killed in between, an older one comes in again."""

    def late(release: Any, alias: Any, trust: Any) -> None:
        activate(Store(trust.root.parent / "store"), release)
        record(release, alias, trust)

    patch("registry.pull.pull.record", late).start()


def give_out_one_serial() -> None:
    """Give every release the same serial."""
    patch("registry.publish.register.take_serial", lambda *_: 1).start()


def test_an_install_in_the_wrong_order_is_found(tmp_path: Path) -> None:
    assert killed_installs(tmp_path, 5, activate_first).survived < 5


def test_a_memory_that_comes_too_late_is_found(tmp_path: Path) -> None:
    scene = two_releases(tmp_path)
    total = count_steps(tmp_path, install, scene.node(), scene.source, activate_before_recording)
    found = [crashes._survives_install(scene, total - back, activate_before_recording) for back in (3, 5)]
    assert not all(found)


def test_a_serial_given_out_twice_is_found(tmp_path: Path) -> None:
    assert killed_releases(tmp_path, 2, give_out_one_serial).survived < 2
