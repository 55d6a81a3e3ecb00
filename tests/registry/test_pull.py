"""What arrives is what was released, or the old release stays in force."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.errors import NotFoundError, TransferError
from registry.install import clean, incoming, part_dir
from registry.promote import rollback
from registry.pull import pull
from rejoinder.errors import BundleError, ConsistencyError, IntegrityError
from rejoinder.parts import Kind
from rejoinder.parts.opened import open_release
from rejoinder.proof import Installed
from rejoinder.release import Release
from rejoinder.store import Store
from tests.bundles import KINDS
from tests.registry.artifacts import ship, stored_file
from tests.rejoinder.test_bundle import FILES, flip


@dataclass(frozen=True)
class Remote:
    """A release in MLflow, and an empty store to pull it into."""

    name: str
    release: Release
    store: Store


@pytest.fixture
def remote(registry_name: str, mine: Installed, tmp_path: Path) -> Remote:
    release = ship(mine.bundles, registry_name)
    return Remote(registry_name, release, Store(tmp_path / "node"))


@pytest.fixture
def successor(remote: Remote, other: Installed) -> Release:
    """A second release, of other bundles."""
    return ship(other.bundles, remote.name, champion=remote.release)


def test_a_pulled_release_opens(remote: Remote) -> None:
    assert pull(remote.store, remote.name).release == remote.release
    assert open_release(remote.store.current()).release == remote.release
    assert not incoming(remote.store).exists()


def test_the_champion_comes_unless_another_is_named(remote: Remote, successor: Release) -> None:
    assert pull(remote.store, remote.name).release == successor
    assert pull(remote.store, remote.name, 1).release == remote.release
    assert remote.store.current().release == remote.release
    assert [release.serial for release in remote.store.releases()] == [2, 1]


def test_bundles_that_were_proved_here_are_not_opened_again(
    remote: Remote, successor: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(remote.store, remote.name, 1)
    back = rollback(remote.name).release
    monkeypatch.setattr("rejoinder.parts.opened.open_release", refuse)
    assert pull(remote.store, remote.name).release == back
    assert back.content == remote.release.content
    with pytest.raises(ConsistencyError, match="opened"):
        pull(remote.store, remote.name, successor.serial)
    assert remote.store.current().release == back


def refuse(*_: object, **__: object) -> None:
    raise ConsistencyError("opened", [])


def test_a_second_pull_downloads_nothing(remote: Remote) -> None:
    pull(remote.store, remote.name)
    for kind in KINDS:
        shutil.rmtree(stored_file(remote.name, kind, "manifest.json").parent)
    assert pull(remote.store, remote.name).release == remote.release


def test_a_bundle_damaged_on_disk_is_fetched_again(remote: Remote) -> None:
    pull(remote.store, remote.name)
    flip(remote.store.current().bundles["index"] / "replies.jsonl", 0.5)
    with pytest.raises(IntegrityError):
        open_release(remote.store.current())
    pull(remote.store, remote.name)
    assert open_release(remote.store.current()).release == remote.release


@pytest.mark.parametrize(
    ("kind", "file"),
    [(kind, "manifest.json") for kind in KINDS] + [(kind, files[0]) for kind, files in FILES.items()],
)
def test_a_flipped_bit_in_the_artifact_store_is_refused(
    remote: Remote, successor: Release, kind: Kind, file: str
) -> None:
    pull(remote.store, remote.name, 1)
    flip(stored_file(remote.name, kind, file), 0.5)
    with pytest.raises(TransferError, match=file):
        pull(remote.store, remote.name)
    assert remote.store.current().release == remote.release
    assert not (part_dir(remote.store, successor.bundles[kind]) / file).exists()
    assert not remote.store.bundle_dir(successor.bundles[kind]).exists()


def test_half_a_file_is_refused(remote: Remote) -> None:
    path = stored_file(remote.name, "model", "model.cpu.onnx")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TransferError, match=r"model\.cpu\.onnx"):
        pull(remote.store, remote.name)


def test_a_flipped_bit_in_the_release_document_is_refused(remote: Remote) -> None:
    flip(stored_file(remote.name, None, "release.json"), 0.5)
    with pytest.raises(BundleError, match=r"release\.json"):
        pull(remote.store, remote.name)
    assert not remote.store.current_file.exists()


def test_a_lost_file_is_named(remote: Remote) -> None:
    stored_file(remote.name, "index", "shard-001.faiss").unlink()
    with pytest.raises(NotFoundError, match=r"shard-001\.faiss"):
        pull(remote.store, remote.name)


def test_what_a_killed_pull_left_is_completed(remote: Remote, mine: Installed) -> None:
    part = part_dir(remote.store, remote.release.bundles["model"])
    part.mkdir(parents=True)
    shutil.copy(mine.bundles["model"] / "model.cpu.onnx", part)
    (part / "tokenizer.json").write_text("half a f")
    (part / "model.fp16.onnx").symlink_to(mine.bundles["cache"] / "keys.npy")
    (part / "stray").mkdir()
    # The right file is not fetched again, so it need not be there any more.
    other = stored_file(remote.name, "model", "model.cpu.onnx")
    other.write_bytes(b"")
    pull(remote.store, remote.name)
    assert open_release(remote.store.current()).release == remote.release


def test_nothing_to_pull(registry_name: str, remote: Remote) -> None:
    with pytest.raises(NotFoundError, match="#9"):
        pull(remote.store, registry_name, 9)
    with pytest.raises(NotFoundError, match="nobody"):
        pull(remote.store, "nobody")


def test_cleaning_removes_leftovers_and_may_be_repeated(tmp_path: Path) -> None:
    store = Store(tmp_path)
    incoming(store).mkdir(parents=True)
    (incoming(store) / "left.part").write_bytes(b"half")
    for _ in range(2):
        clean(store)
        assert not incoming(store).exists()
