"""The champion is what the benchmark measures a candidate against."""

from __future__ import annotations

import numpy as np

from registry.pull.champion import open_champion
from rejoinder.parts.opened import open_release
from rejoinder.release.proof import Installed
from rejoinder.store.store import Store
from stages.benchmark.sizes import files_mb
from tests.registry.artifacts import ship


def test_before_the_first_release_there_is_none(registry_name: str) -> None:
    assert open_champion(registry_name) is None


def test_the_champion_is_opened_beside_the_serving_store(
    registry_name: str, mine: Installed, other: Installed
) -> None:
    first = ship(mine.bundles, registry_name)
    second = ship(other.bundles, registry_name, champion=first)
    champion = open_champion(registry_name)
    assert champion is not None
    assert champion.release == second
    texts = ["hi", "how are you"]
    assert champion.opened is not None
    assert np.array_equal(champion.opened.vectorizer.encode(texts), open_release(other).vectorizer.encode(texts))
    assert files_mb(champion.bundles) == files_mb(other.bundles)
    assert not Store.default().root.exists()


def test_going_back_to_older_bundles_is_a_new_release(
    registry_name: str, mine: Installed, other: Installed
) -> None:
    first = ship(mine.bundles, registry_name)
    second = ship(other.bundles, registry_name, champion=first)
    third = ship(mine.bundles, registry_name, champion=second)
    assert (third.serial, third.bundles) == (3, first.bundles)
