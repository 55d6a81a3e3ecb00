"""Finders: a release's folder and manifests by name, signatures checked, from the store or from MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import NotFoundError, TransferError
from registry.show.finders import mlflow_finder, store_finder
from rejoinder.errors import BundleError, IntegrityError, SignatureError, StoreError
from rejoinder.release.document import RELEASE, read_release
from rejoinder.release.manifest import read_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.signature import SIGNATURE, SIGNED
from rejoinder.store.store import Store
from tests.bundles import KEY, pin, put_in_store
from tests.registry.artifacts import ship, stored_file
from tests.rejoinder.parts.test_opened import flip


@pytest.fixture
def second(store: Store, other: Installed) -> Installed:
    """A second release, which is current in the store; read its manifests before its bundles move there."""
    installed = pin(other.bundles, serial=2)
    put_in_store(store, installed)
    return installed


@pytest.mark.parametrize(
    ("which", "serial"), [("current", 2), ("champion", 2), ("2", 2), ("previous", 1), ("1", 1)]
)
def test_a_release_of_the_store_is_found_by_every_name(  # noqa: PLR0917
    store: Store, second: Installed, pristine: Installed, tmp_path: Path, which: str, serial: int
) -> None:
    expected = {1: pristine.release, 2: second.release}[serial]
    folder, manifests = store_finder(store, "rejoinder").folder(which, tmp_path / "into")
    assert folder == store.release_dir(expected.digest)
    assert {kind: manifest.digest for kind, manifest in manifests.items()} == expected.bundles
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize(("name", "which"), [("rejoinder", "7"), ("other", "1"), ("rejoinder", "latest")])
def test_what_is_not_installed_is_said_so(store: Store, tmp_path: Path, name: str, which: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        store_finder(store, name).folder(which, tmp_path)
    assert str(caught.value) == (f"release {name} {which}: not installed. Next: rejoinder releases, or --remote")


def test_nothing_installed_at_all(tmp_path: Path) -> None:
    for which in ("current", "previous", "1"):
        with pytest.raises(NotFoundError):
            store_finder(Store(tmp_path / "none"), "rejoinder").folder(which, tmp_path)


def test_what_is_shown_of_the_store_is_what_was_signed(
    store: Store, pristine: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder, folder = store_finder(store, "rejoinder"), store.release_dir(pristine.release.digest)
    before = (folder / "verdict.json").read_bytes()
    flip(folder / "verdict.json", 0.5)
    with pytest.raises(IntegrityError, match=r"verdict\.json"):
        finder.folder("current", tmp_path)
    (folder / "verdict.json").write_bytes(before)
    flip(store.bundle_dir(pristine.release.bundles["index"]) / "manifest.json", 0.5)
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        finder.folder("current", tmp_path)
    monkeypatch.setenv("REJOINDER_TRUST", str(tmp_path / "nobody"))
    with pytest.raises(SignatureError):
        finder.folder("current", tmp_path)


def test_a_release_whose_bundles_are_gone_is_named(store: Store, pristine: Installed, tmp_path: Path) -> None:
    store.bundle_dir(pristine.release.bundles["cache"]).rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="bundles not in the store"):
        store_finder(store, "rejoinder").folder("current", tmp_path)


def test_a_release_of_mlflow_is_fetched_with_its_manifests(
    registry_name: str, mine: Installed, other: Installed, tmp_path: Path
) -> None:
    first = ship(mine.bundles, registry_name)
    second = ship(other.bundles, registry_name, champion=first)
    into = tmp_path / "into"
    for which, expected, installed in [
        ("champion", second, other), ("current", second, other), ("2", second, other),
        ("previous", first, mine), ("1", first, mine),
    ]:  # fmt: skip
        folder, manifests = mlflow_finder(registry_name).folder(which, into)
        assert folder == into
        assert {path.name for path in folder.iterdir()} == {*SIGNED, SIGNATURE}
        assert read_release(folder / RELEASE, expected.digest) == expected
        assert manifests == {kind: read_manifest(path) for kind, path in installed.bundles.items()}
    for which in ("challenger", "9"):
        with pytest.raises(NotFoundError, match="not in MLflow"):
            mlflow_finder(registry_name).folder(which, into)


def test_what_lies_in_the_way_is_removed_first(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    ship(mine.bundles, registry_name)
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "stray.json").write_text("{}")
    folder, _ = mlflow_finder(registry_name).folder("champion", tmp_path / "into")
    assert not (folder / "stray.json").exists()


def test_what_is_shown_of_mlflow_is_what_was_signed(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    ship(mine.bundles, registry_name)
    flip(stored_file(registry_name, "cache", "manifest.json"), 0.5)
    with pytest.raises(TransferError, match="is incomplete in MLflow: IntegrityError"):
        mlflow_finder(registry_name).folder("champion", tmp_path / "into")
    flip(stored_file(registry_name, None, "provenance.json"), 0.5)
    with pytest.raises(BundleError, match=r"provenance\.json"):
        mlflow_finder(registry_name).folder("champion", tmp_path / "into")
    assert KEY.name == "publisher.pem"
