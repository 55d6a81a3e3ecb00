"""A deny list is released in a moment, and stays whatever is released after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import NotFoundError
from registry.mlflow.catalog import champion
from registry.publish.deny import deny
from registry.publish.promote import promote, rollback
from registry.pull.pull import pull
from rejoinder.parts import DENY
from rejoinder.parts.deny import DenyList
from rejoinder.parts.opened import open_current
from rejoinder.release.proof import Installed
from rejoinder.store.store import Store
from tests.registry.artifacts import held, register, ship

LIST = DenyList(("they know rain!",), ("weather",))


def test_the_champion_is_released_once_more_with_the_list(
    registry_name: str, mine: Installed, tmp_path: Path
) -> None:
    first = ship(mine.bundles, registry_name)
    promotion = deny(LIST, registry_name)
    second = promotion.release
    assert (second.serial, second.reissues, second.judged) == (2, 1, first.judged)
    assert second.blessed == first.blessed
    assert held(registry_name) == {"champion": 2, "previous": 1}
    store = Store(tmp_path / "store")
    pull(store, registry_name)
    assert open_current(store).denied == LIST


def test_the_same_list_again_changes_nothing(registry_name: str, mine: Installed) -> None:
    ship(mine.bundles, registry_name)
    second = deny(LIST, registry_name).release
    again = deny(LIST, registry_name)
    assert (again.release, again.is_new) == (second, False)


def test_a_list_without_a_champion_has_nothing_to_join(registry_name: str) -> None:
    with pytest.raises(NotFoundError, match="expected one, got none"):
        deny(LIST, registry_name)


def test_a_later_build_keeps_the_list_even_by_another_model(
    registry_name: str, mine: Installed, other: Installed, tmp_path: Path
) -> None:
    first = ship(mine.bundles, registry_name)
    second = deny(LIST, registry_name).release
    # The gate compared with the champion of before the list: no other judged bundle, so its verdict stands.
    register(other.bundles, registry_name, tmp_path / "other", champion=first)
    third = promote(registry_name).release
    assert third.judged == other.release.bundles
    assert third.bundles[DENY.bundle] != second.bundles[DENY.bundle], "made to belong to another model"
    store = Store(tmp_path / "store")
    pull(store, registry_name)
    assert open_current(store).denied == LIST


def test_a_rollback_keeps_the_list(registry_name: str, mine: Installed, other: Installed) -> None:
    first = ship(mine.bundles, registry_name)
    ship(other.bundles, registry_name, champion=first)
    denied = deny(LIST, registry_name).release
    back = rollback(registry_name, to=1).release
    assert back.judged == first.judged
    assert DENY.bundle in back.bundles
    assert denied.serial < back.serial
    assert champion(registry_name) == back


def test_what_is_denied_is_registered_once(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    first = ship(mine.bundles, registry_name)
    denied = deny(LIST, registry_name).release
    assert register(mine.bundles, registry_name, tmp_path / "again", champion=first) == denied
    lifted = deny(DenyList(), registry_name).release
    assert lifted.bundles[DENY.bundle] != denied.bundles[DENY.bundle]
