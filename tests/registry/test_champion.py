"""The champion is what the benchmark measures a candidate against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from registry.champion import open_champion
from registry.publish import publish
from rejoinder.bundle import Installed, open_release
from rejoinder.store import Store
from stages.benchmark import sizes
from tests.bundles import write_verdict


def test_before_the_first_release_there_is_none(registry_name: str) -> None:
    assert open_champion(registry_name) is None


def test_the_champion_is_the_newest_release_opened_beside_the_serving_store(
    registry_name: str, mine: Installed, other: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = publish(mine.bundles, write_verdict(tmp_path / "1.json", mine.bundles), registry_name).release
    verdict = write_verdict(tmp_path / "2.json", other.bundles, champion=first.digest)
    second = publish(other.bundles, verdict, registry_name).release
    champion = open_champion(registry_name)
    assert champion is not None
    assert champion.release == second
    texts = ["hi", "how are you"]
    assert champion.opened is not None
    assert np.array_equal(champion.opened.vectorizer.encode(texts), open_release(other).vectorizer.encode(texts))
    assert sizes(champion.bundles) == sizes(other.bundles)
    assert not Store.default().root.exists()


def test_going_back_to_older_bundles_is_a_new_release(
    registry_name: str, mine: Installed, other: Installed, tmp_path: Path
) -> None:
    first = publish(mine.bundles, write_verdict(tmp_path / "1.json", mine.bundles), registry_name).release
    verdict = write_verdict(tmp_path / "2.json", other.bundles, champion=first.digest)
    second = publish(other.bundles, verdict, registry_name).release
    verdict = write_verdict(tmp_path / "3.json", mine.bundles, champion=second.digest)
    third = publish(mine.bundles, verdict, registry_name).release
    assert (third.serial, third.bundles) == (3, first.bundles)
