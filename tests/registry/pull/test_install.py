"""Install: everything takes its final name by one rename, flushed before, and `current` is last."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from registry.errors import RegistryError
from registry.pull.install import (
    activate,
    check_space,
    clean,
    incoming,
    install_bundle,
    install_release,
    locked,
    part_dir,
    repair_pointers,
)
from rejoinder.errors import IntegrityError
from rejoinder.release.canonical import Digest
from rejoinder.release.document import RELEASE
from rejoinder.release.manifest import read_manifest
from rejoinder.release.proof import Installed
from rejoinder.store.store import Store
from tests.bundles import pin, reseal
from tests.rejoinder.parts.test_opened import flip

DIGEST = Digest("sha256:" + "ab" * 32)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    """An empty store, its lock held."""
    store = Store(tmp_path / "node" / "store")
    with locked(store):
        yield store


def bring(store: Store, installed: Installed) -> Path:
    """Put a copy of the cache bundle where a pull puts it together."""
    digest = installed.release.bundles["cache"]
    return Path(shutil.copytree(installed.bundles["cache"], part_dir(store, digest)))


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Notes flushes and renames in their order."""
    events: list[str] = []
    real_sync, real_rename, real_replace = os.fsync, os.rename, os.replace

    def sync(handle: int) -> None:
        events.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        real_sync(handle)

    def rename(old: Path, new: Path) -> None:
        events.append(f"rename {Path(old).name} {Path(new).name}")
        real_rename(old, new)

    def replace(old: Path, new: Path) -> None:
        events.append(f"replace {Path(old).name} {Path(new).name}")
        real_replace(old, new)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        patched.setattr(os, "rename", rename)
        patched.setattr(os, "replace", replace)
        yield events


def test_a_bundle_is_verified_and_then_takes_its_name(empty: Store, mine: Installed) -> None:
    digest = mine.release.bundles["cache"]
    part = bring(empty, mine)
    manifest = install_bundle(empty, part, digest)
    assert manifest == read_manifest(empty.bundle_dir(digest), digest)
    assert not part.exists()
    assert part.parent == incoming(empty) == empty.root / "incoming"
    assert part.name == digest.replace(":", "-") + ".part"


def test_a_damaged_bundle_never_takes_a_name(empty: Store, mine: Installed) -> None:
    part = bring(empty, mine)
    flip(part / "keys.npy", 0.5)
    with pytest.raises(IntegrityError, match=r"keys\.npy"):
        install_bundle(empty, part, mine.release.bundles["cache"])
    assert not (empty.root / "bundles").exists()
    assert part.is_dir()


def test_a_whole_bundle_that_is_not_the_pinned_one_never_takes_its_name(empty: Store, mine: Installed) -> None:
    part = bring(empty, mine)
    reseal(part, note="another")
    with pytest.raises(IntegrityError, match=mine.release.bundles["cache"]):
        install_bundle(empty, part, mine.release.bundles["cache"])
    assert not (empty.root / "bundles").exists()


@pytest.mark.parametrize("name", ["current", "previous"])
@pytest.mark.parametrize("text", ["", "{", "sha256:12", "sha256:" + "0" * 64])
def test_a_pointer_that_names_no_release_is_removed_and_the_other_stays(
    store: Store, pristine: Installed, name: str, text: str
) -> None:
    both = {"current": f"{pristine.release.digest}\n", "previous": f"{pristine.release.digest}\n"}
    for pointer, good in both.items():
        (store.root / pointer).write_text(good)
    repair_pointers(store)
    assert {pointer: (store.root / pointer).read_text() for pointer in both} == both
    (store.root / name).write_text(text)
    repair_pointers(store)
    assert {pointer for pointer in both if (store.root / pointer).exists()} == set(both) - {name}


def test_everything_is_flushed_before_the_rename_and_the_name_after_it(
    empty: Store, mine: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = mine.release.bundles["cache"]
    part = bring(empty, mine)
    files = {f"sync {path.name}" for path in part.iterdir()}
    with recorded(monkeypatch) as events:
        install_bundle(empty, part, digest)
    final = empty.bundle_dir(digest)
    assert set(events[: len(files)]) == files
    assert events[len(files) :] == [f"sync {part.name}", f"rename {part.name} {final.name}", "sync bundles"]


def test_a_damaged_bundle_that_is_installed_gives_way(empty: Store, mine: Installed) -> None:
    digest = mine.release.bundles["cache"]
    install_bundle(empty, bring(empty, mine), digest)
    for _ in range(2):  # the second time, a damaged one lies aside already
        flip(empty.bundle_dir(digest) / "keys.npy", 0.5)
        install_bundle(empty, bring(empty, mine), digest)
        assert read_manifest(empty.bundle_dir(digest), digest).digest == digest
        assert [path.name for path in incoming(empty).iterdir()] == [digest.replace(":", "-") + ".damaged"]
    assert [path.name for path in (empty.root / "bundles").iterdir()] == [digest.replace(":", "-")]


def test_a_release_folder_takes_its_name(empty: Store, mine: Installed) -> None:
    digest = mine.release.digest
    part = Path(shutil.copytree(mine.folder, part_dir(empty, digest)))
    names = {path.name for path in part.iterdir()}
    final = install_release(empty, part, mine.release)
    assert final == empty.release_dir(digest)
    assert {path.name for path in final.iterdir()} == names
    assert not part.exists()


def test_the_first_release_has_none_before_it(empty: Store, mine: Installed) -> None:
    activate(empty, mine.release)
    assert empty.current_file.read_text() == f"{mine.release.digest}\n"
    assert empty.previous_digest() is None


def test_the_one_before_becomes_previous_and_current_is_flipped_last(
    store: Store, other: Installed, pristine: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = pin(other.bundles, serial=2).release
    with locked(store), recorded(monkeypatch) as events:
        activate(store, second)
    assert store.current_digest() == second.digest
    assert store.previous_digest() == pristine.release.digest
    root = store.root.name
    assert events == [
        "sync previous.part", "replace previous.part previous", f"sync {root}",
        "sync current.part", "replace current.part current", f"sync {root}",
    ]  # fmt: skip
    assert list(incoming(store).iterdir()) == []


def test_activating_the_current_release_writes_nothing(
    store: Store, pristine: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locked(store), recorded(monkeypatch) as events:
        activate(store, pristine.release)
    assert events == []
    assert store.previous_digest() is None


def test_flushing_leaves_no_file_open(empty: Store, mine: Installed) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    install_bundle(empty, bring(empty, mine), mine.release.bundles["cache"])
    activate(empty, mine.release)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def free_space(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let every file system have so many bytes free."""
    usage = SimpleNamespace(total=0, used=0, free=free)
    monkeypatch.setattr("registry.pull.install.shutil.disk_usage", lambda path: usage if path.exists() else None)


def test_what_fits_exactly_is_begun(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    free_space(monkeypatch, 2_500_000)
    check_space(empty, 2_500_000)
    with pytest.raises(RegistryError) as caught:
        check_space(empty, 2_600_000)
    said = str(caught.value)
    assert said.startswith(
        f"{empty.root}: not enough space: expected 2.6 MB free, got 2.5 MB; nothing was changed."
    )
    assert "Next: free some" in said


def test_one_process_at_a_time_and_whoever_waits_finds_incoming(tmp_path: Path) -> None:
    store, order = Store(tmp_path / "deep" / "store"), []
    begun = threading.Event()

    def second() -> None:
        begun.set()
        with locked(store):
            order.append("second")
            assert incoming(store).is_dir()

    with locked(store):
        thread = threading.Thread(target=second)
        thread.start()
        assert begun.wait(10)
        order.append("first")
        clean(store)
    thread.join(10)
    assert order == ["first", "second"]


def test_incoming_is_made_again_after_the_lock_is_got(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever held the lock while we waited has cleaned up, and taken away what we made before."""
    store = Store(tmp_path / "store")
    real = __import__("filelock").FileLock.acquire

    def acquire(lock: object, *args: object, **more: object) -> object:
        clean(store)
        return real(lock, *args, **more)

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    with locked(store):
        assert incoming(store).is_dir()


def test_a_lock_held_for_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    monkeypatch.setattr("registry.pull.install._LOCK_SECONDS", 0.01)
    caught: list[str] = []

    def second() -> None:
        try:
            with locked(store):
                caught.append("got it")
        except RegistryError as error:
            caught.append(str(error))

    with locked(store):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(10)
    expected = "lock: held by another process for over 0.01 s. Next: wait for that pull, or end it"
    assert caught == [f"{store.root / expected}"]
    with locked(store):
        assert (store.root / "lock").exists()


def test_cleaning_leaves_the_rest_of_the_store(store: Store, pristine: Installed) -> None:
    with locked(store):
        (incoming(store) / "left.part").mkdir()
        (incoming(store) / "left.part" / "file").touch()
        clean(store)
        clean(store)  # what is not there is clean
    assert not incoming(store).exists()
    assert store.current().release == pristine.release
    assert (store.release_dir(pristine.release.digest) / RELEASE).is_file()
