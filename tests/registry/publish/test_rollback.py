"""A rollback is a newer release of older bundles, and stays one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from registry.errors import NotFoundError, PromotionError
from registry.mlflow.catalog import bundle_model, champion, read_catalog
from registry.mlflow.client import set_alias, set_tag, versions
from registry.mlflow.connection import connect
from registry.publish.new_release import LAST_SERIAL
from registry.publish.promote import promote, rollback
from registry.pull.freshness import now
from rejoinder.release.canonical import Digest
from rejoinder.release.document import Release, parse_time
from rejoinder.release.proof import Installed
from tests.bundles import reseal, write_verdict
from tests.registry.artifacts import forge, held, register, ship, stored_file, version_of


@pytest.fixture
def pair(registry_name: str, mine: Installed, other: Installed) -> tuple[Release, Release]:
    """The champion before, and the champion."""
    first = ship(mine.bundles, registry_name)
    return first, ship(other.bundles, registry_name, champion=first)


def test_a_rollback_is_a_new_serial_that_names_the_old_digests(pair: tuple[Release, Release]) -> None:
    first, second = pair
    promotion = rollback(first.name)
    release = promotion.release
    assert (promotion.before, promotion.is_new) == (2, True)
    assert (release.serial, release.reissues) == (3, 1)
    assert (release.bundles, release.blessed) == (first.bundles, first.blessed)
    assert release.content == first.content != second.content
    assert parse_time(release.created) > now().replace(year=2026, month=1, day=2)
    assert champion(first.name) == release
    assert held(first.name) == {"champion": 3, "previous": 2}


def test_a_rollback_of_a_rollback_brings_the_other_back(pair: tuple[Release, Release]) -> None:
    first, second = pair
    rollback(first.name)
    back = rollback(first.name).release
    assert (back.serial, back.reissues, back.bundles) == (4, 2, second.bundles)
    assert held(first.name) == {"champion": 4, "previous": 3}
    again = rollback(first.name).release
    assert (again.serial, again.reissues, again.bundles) == (5, 1, first.bundles)  # the first, not #3


def test_what_was_rolled_back_is_not_promoted_again(
    pair: tuple[Release, Release], other: Installed, tmp_path: Path
) -> None:
    first, second = pair
    back = rollback(first.name).release
    again = register(other.bundles, first.name, tmp_path / "again", champion=back)
    assert again.content == second.content
    with pytest.raises(PromotionError, match="champion as #2 and were rolled back"):
        promote(first.name)
    assert held(first.name)["champion"] == back.serial
    assert rollback(first.name, to=2).release.content == second.content  # somebody means it


def test_to_a_serial(pair: tuple[Release, Release], mine: Installed) -> None:
    first, second = pair
    reseal(mine.bundles["index"], candidates=5)
    third = ship(mine.bundles, first.name, champion=second)
    release = rollback(first.name, to=1).release
    assert (release.serial, release.reissues, release.bundles) == (4, 1, first.bundles)
    assert held(first.name) == {"champion": 4, "previous": third.serial}


def test_to_the_champion_itself_renews_it(pair: tuple[Release, Release]) -> None:
    first, second = pair
    release = rollback(first.name, to=2, valid_days=400).release
    assert (release.serial, release.reissues, release.content) == (3, 2, second.content)
    assert parse_time(release.expires) > parse_time(second.expires)
    with pytest.raises(PromotionError, match="holds the same bundles as the champion"):
        rollback(first.name)
    assert rollback(first.name, to=1).release.bundles == first.bundles


def test_to_what_was_never_champion_is_refused(
    pair: tuple[Release, Release], mine: Installed, tmp_path: Path
) -> None:
    reseal(mine.bundles["index"], candidates=5)
    register(mine.bundles, pair[0].name, tmp_path, champion=pair[1])
    with pytest.raises(PromotionError, match=r"#3: it was never champion.*rejoinder promote --serial 3"):
        rollback(pair[0].name, to=3)
    assert held(pair[0].name) == {"champion": 2, "previous": 1, "challenger": 3}


def test_to_what_is_not_there(pair: tuple[Release, Release]) -> None:
    with pytest.raises(NotFoundError, match="#9"):
        rollback(pair[0].name, to=9)


def test_with_nothing_before(registry_name: str, mine: Installed) -> None:
    ship(mine.bundles, registry_name)
    with pytest.raises(NotFoundError, match="previous"):
        rollback(registry_name)


def test_to_a_release_that_is_no_longer_whole_takes_no_serial(pair: tuple[Release, Release]) -> None:
    name = pair[0].name
    version = versions(connect(), bundle_model(name, "model"), digest=Digest(pair[0].bundles["model"]))[0]
    newest = stored_file(name, "model", "tokenizer.json")
    (newest.parents[3] / version.run_id / "artifacts" / newest.parent.name / "tokenizer.json").unlink()
    with pytest.raises(PromotionError, match=r"is incomplete in MLflow.*tokenizer\.json"):
        rollback(name)
    assert held(name) == {"champion": 2, "previous": 1}
    assert [v.tags["serial"] for v in read_catalog(connect(), name).releases] == ["2", "1"]
    assert connect().get_registered_model(name).tags[LAST_SERIAL] == "2"


def test_to_an_expired_release_is_what_renewing_is_for(registry_name: str, mine: Installed) -> None:
    release = ship(mine.bundles, registry_name)
    verdict = json.dumps(json.loads(write_verdict(mine.folder / "v", mine.bundles).read_text())).encode()
    old = forge(release, verdict, expires="2026-01-02T00:00:00+00:00")
    version = version_of(registry_name, old.serial)
    set_tag(connect(), version, "promoted", "true")
    set_alias(connect(), version, "champion")
    renewed = rollback(registry_name, to=old.serial).release
    assert parse_time(renewed.expires) > now()
    assert renewed.reissues == old.serial
