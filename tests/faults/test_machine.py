"""The state machine keeps every promise, and finds the faults that are planted here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import registry.publish.promote
import registry.pull.install
import registry.pull.pull
from faults.machine import FAULTS, state_machine
from faults.power import PowerCut, watched
from registry.mlflow.catalog import fetch_folder
from rejoinder.release.document import Release
from rejoinder.store.store import Store


def test_nothing_is_lost(tmp_path: Path) -> None:
    (fault,) = FAULTS
    outcome = fault(tmp_path, 15, 15)
    assert outcome.survived == outcome.tries >= 15, outcome.note
    assert not list(tmp_path.glob("play"))


def activate_before_installing(patch: pytest.MonkeyPatch) -> None:
    """The pointer is moved as soon as the document has arrived."""
    fetch = registry.pull.pull._fetch_release

    def early(source: Any, store: Store, *rest: Any) -> tuple[Path, Release]:
        part, release = fetch(source, store, *rest)
        registry.pull.install.activate(store, release)
        return part, release

    patch.setattr("registry.pull.pull._fetch_release", early)


def collect_the_one_before(patch: pytest.MonkeyPatch) -> None:
    """Whatever is not among the newest is removed, the previous release too."""
    patch.setattr("rejoinder.store.store.Store.previous_digest", lambda _: None)


def take_the_champion_back(patch: pytest.MonkeyPatch) -> None:
    """Any release may be promoted, an older one too."""

    def fit(client: Any, version: Any, folder: Path, *_: Any, **__: Any) -> Any:
        release = fetch_folder(version, folder)
        object.__setattr__(release, "serial", 1 << 40)  # so that it never looks older
        return release

    patch.setattr("registry.publish.promote._fit", fit)


def give_out_one_serial_again(patch: pytest.MonkeyPatch) -> None:
    """Nobody remembers which serials there were."""
    patch.setattr("registry.publish.register.take_serial", lambda *_: 1)


@pytest.mark.parametrize(
    "plant",
    [
        activate_before_installing,
        # Found only by longer runs: `pytest -m thorough`, minutes each.
        *(
            pytest.param(plant, marks=pytest.mark.thorough)
            for plant in (
                collect_the_one_before,
                take_the_champion_back,
                give_out_one_serial_again,
            )
        ),
    ],
)
def test_a_planted_fault_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    outcome = state_machine(tmp_path, 150, 30)
    assert outcome.survived < outcome.tries
    assert "lost: " in outcome.note


def test_the_power_goes_at_the_step_that_is_asked_for_and_stays_off(tmp_path: Path) -> None:
    def work() -> None:
        (tmp_path / "folder").mkdir()
        try:
            (tmp_path / "folder" / "file").write_bytes(b"whole")
            (tmp_path / "folder" / "file").rename(tmp_path / "file")
        finally:
            (tmp_path / "cleaned").touch()

    found = {}
    with watched(str(tmp_path)) as power:
        for steps in range(4):
            for path in sorted(tmp_path.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            with pytest.raises(PowerCut), power.cut_after(steps):
                work()
            files = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}
            found[steps] = {name: path.read_bytes() for name, path in files.items()}
    assert found == {
        0: {},
        1: {"folder/file": b"{"},  # opened, and torn
        2: {"folder/file": b"whole"},
        3: {"file": b"whole", "cleaned": b"{"},
    }
