"""A release made by the code of 2026-11-26 is opened, pulled and rolled back to by all later code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from registry.folder import FolderSource
from registry.promote import rollback
from registry.pull import pull
from registry.releases import champion
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.store import Store, open_current
from rejoinder.trust import Trust
from tests.bundles import build_bundles
from tests.reach import ROOT
from tests.registry.artifacts import ship

GOLDEN = ROOT / "tests" / "golden"
EXPECTED: dict[str, Any] = json.loads((GOLDEN / "answers.json").read_text())


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of the golden store, beside a trust folder that believes its key alone."""
    monkeypatch.setenv("REJOINDER_TRUST", str(shutil.copytree(GOLDEN / "trust", tmp_path / "golden-trust")))
    return Store(Path(shutil.copytree(GOLDEN / "store", tmp_path / "golden")))


def answers(opened: OpenRelease) -> list[dict[str, Any]]:
    responder = Responder(opened)
    asked = [entry["dialogue"] for entry in EXPECTED["answers"]]
    return [{"dialogue": turns, "reply": responder.answer(Dialogue.from_lines(turns)).text} for turns in asked]


def test_it_opens_with_every_proof_and_gives_its_three_answers(golden: Store) -> None:
    opened = open_current(golden)
    assert opened.release.digest == EXPECTED["release"]
    assert len(EXPECTED["answers"]) == 3
    assert answers(opened) == EXPECTED["answers"]


def test_it_can_be_pulled_by_todays_code(golden: Store, tmp_path: Path) -> None:
    node = Store(tmp_path / "node")
    assert pull(node, "golden", source=FolderSource(golden.root)).release.digest == EXPECTED["release"]
    assert answers(open_current(node)) == EXPECTED["answers"]


def test_its_bundles_can_be_champion_and_rolled_back_to(
    registry_name: str, golden: Store, trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REJOINDER_TRUST", str(trust.root))
    before = ship(golden.current().bundles, registry_name)
    after = ship(build_bundles(tmp_path / "after", seed=1), registry_name, champion=before)
    assert champion(registry_name) == after
    rollback(registry_name)
    node = Store(tmp_path / "node")
    pull(node, registry_name)
    opened = open_release(node.current())
    assert opened.release.bundles == golden.current().release.bundles
    assert answers(opened) == EXPECTED["answers"]


def test_no_file_of_it_was_replaced_and_it_stays_small() -> None:
    files = [path for path in GOLDEN.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert EXPECTED["release"] == "sha256:81134436f00df16f9c1d7ba89c0cda48294b1fee613aca7fec216bef0c480935"
