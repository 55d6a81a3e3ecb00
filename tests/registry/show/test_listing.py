"""The list of what MLflow holds: one line a release, the champion marked."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import NotFoundError
from registry.mlflow.artifacts import upload
from registry.mlflow.catalog import Catalog
from registry.mlflow.connection import connect
from registry.publish.promote import rollback
from registry.publish.register import publish
from registry.show.listing import list_remote
from rejoinder.release.document import Release
from rejoinder.release.proof import Installed
from tests.bundles import reseal, write_verdict
from tests.registry.artifacts import ship


def line(release: Release, mark: str, aliases: str) -> str:
    """What is shown of a release."""
    short = [d.removeprefix("sha256:")[:12] for d in (release.digest, release.vectorizer_id, release.content)]
    text = f"{mark} {release.name} #{release.serial} ({short[0]})  vectorizer {short[1]}  content {short[2]}"
    return f"{text}  {aliases}".rstrip()


def test_every_release_is_listed_with_its_aliases_newest_first(
    registry_name: str, mine: Installed, other: Installed, tmp_path: Path
) -> None:
    first = ship(mine.bundles, registry_name)
    assert list_remote(registry_name) == [line(first, "*", "champion")]
    second = ship(other.bundles, registry_name, champion=first)
    third = rollback(registry_name).release
    reseal(mine.bundles["index"], candidates=5)
    verdict = write_verdict(tmp_path / "v.json", mine.bundles, third.digest)
    fourth = publish(mine.bundles, verdict, registry_name).release
    assert list_remote(registry_name) == [
        line(fourth, " ", "challenger"),
        line(third, "*", "champion"),
        line(second, " ", "previous"),
        line(first, " ", ""),
    ]


def test_a_name_that_nobody_released_is_said_so(registry_name: str) -> None:
    with pytest.raises(NotFoundError, match=f"release {registry_name}: none in MLflow at sqlite:///"):
        list_remote(registry_name)


def test_a_password_in_the_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.show.listing.connect", lambda: None)
    monkeypatch.setattr("registry.show.listing.read_catalog", lambda *_: Catalog("rejoinder", [], {}))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://alice:secret@mlflow.example:5000")
    with pytest.raises(NotFoundError, match=r"at https://mlflow\.example:5000") as caught:
        list_remote("rejoinder")
    assert "secret" not in str(caught.value)
    assert "alice" not in str(caught.value)


def test_versions_that_are_no_releases_are_left_out(registry_name: str, mine: Installed) -> None:
    release = ship(mine.bundles, registry_name)
    tags = {"serial": "many", "digest": "x"}
    upload(connect(), f"{registry_name}-releases", registry_name, mine.bundles["cache"], tags)
    assert list_remote(registry_name) == [line(release, "*", "champion")]
