"""What a store hands out, and when it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from rejoinder.errors import IntegrityError, StoreError
from rejoinder.home import home
from rejoinder.manifest import Digest
from rejoinder.parts.opened import open_release
from rejoinder.proof import Installed
from rejoinder.store import Store
from tests.bundles import pin, put_in_store
from tests.rejoinder.test_bundle import flip


def test_the_installed_release_opens(store: Store, pristine: Installed) -> None:
    assert open_release(store.current()).release == pristine.release


def test_the_newest_serial_comes_first(store: Store, other: Installed) -> None:
    put_in_store(store, pin(other.bundles, serial=7))
    assert [release.serial for release in store.releases()] == [7, 1]
    assert store.current().release.serial == 7


@pytest.mark.parametrize("position", [0.0, 0.5, 1.0])
def test_a_flipped_bit_in_the_release_document(store: Store, pristine: Installed, position: float) -> None:
    path = store.release_dir(pristine.release.digest) / "release.json"
    flip(path, position)
    with pytest.raises(IntegrityError) as caught:
        store.current()
    assert caught.value.problems[0].where == path.name
    with pytest.raises(IntegrityError):
        store.releases()


def test_nothing_installed(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="rejoinder pull"):
        Store(tmp_path).current()


@pytest.mark.parametrize("content", [b"", b"sha256:12", b"\xff\xfe", b"../../etc/passwd"])
def test_a_pointer_that_is_no_digest(store: Store, content: bytes) -> None:
    store.current_file.write_bytes(content)
    with pytest.raises(StoreError):
        store.current()


def test_a_pointer_to_nowhere(store: Store) -> None:
    store.current_file.write_text("sha256:" + "0" * 64)
    with pytest.raises(StoreError, match="not in the store"):
        store.current()


def test_a_lost_bundle(store: Store, pristine: Installed, tmp_path: Path) -> None:
    store.bundle_dir(Digest(pristine.release.bundles["index"])).rename(tmp_path / "lost")
    with pytest.raises(StoreError, match="bundles not in the store"):
        store.current()


def test_the_default_store(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Store.default().root == home() / "store"
    monkeypatch.setenv("REJOINDER_STORE", "/srv/chat")
    assert Store.default().root == Path("/srv/chat")
