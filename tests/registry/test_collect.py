"""Collecting: old releases go; the current one, the one before it, and what a process uses never do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.collect import collect
from registry.install import activate, incoming, install_release, locked, part_dir
from rejoinder.lease import take_lease
from rejoinder.manifest import Digest
from rejoinder.proof import Installed, prove
from rejoinder.release import RELEASE, Release
from rejoinder.store import Store
from tests.bundles import KINDS, pin, put_in_store, reseal, seal
from tests.conftest import copy_of
from tests.rejoinder.test_bundle import flip

Add = Callable[[int], Release]


@pytest.fixture
def add(store: Store, pristine: Installed, tmp_path: Path) -> Add:
    """Installs one more release of the same bundles, and makes it current."""

    def add(serial: int) -> Release:
        release = replace(pristine.release, serial=serial)
        with locked(store):
            part = part_dir(store, release.digest)
            shutil.copytree(pristine.folder, part)
            (part / "release.sig").unlink()
            seal(part, release)
            install_release(store, part, release)
            activate(store, release)
        return release

    return add


def run(store: Store, keep: int) -> list[int]:
    """Collect; gives the serials that were removed."""
    with locked(store):
        return sorted(release.serial for release in collect(store, keep))


def serials(store: Store) -> list[int]:
    """Of what is installed."""
    return [release.serial for release in store.releases()]


def bundles(store: Store) -> set[str]:
    """Folders of what is installed."""
    return {path.name for path in (store.root / "bundles").iterdir()}


def test_the_highest_serials_stay(store: Store, add: Add) -> None:
    for serial in (2, 3, 4, 5):
        add(serial)
    assert run(store, keep=3) == [1, 2]
    assert serials(store) == [5, 4, 3]
    assert run(store, keep=3) == []


def test_current_and_previous_stay_however_old_and_however_few_are_kept(store: Store, add: Add) -> None:
    for serial in (9, 8, 3, 2):  # a person went back, twice
        add(serial)
    assert run(store, keep=1) == [1, 8]
    assert serials(store) == [9, 3, 2]
    for digest in (store.current_digest(), store.previous_digest()):
        assert digest is not None
        prove(store.installed(digest))


@settings(max_examples=25)
@given(order=st.permutations([1, 2, 3, 4]), keep=st.integers(1, 5))
def test_what_stays_is_what_is_promised(
    tmp_path_factory: pytest.TempPathFactory, pristine: Installed, order: list[int], keep: int
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    for serial in order:
        release = replace(pristine.release, serial=serial)
        folder = store.release_dir(release.digest)
        folder.mkdir(parents=True)
        (folder / RELEASE).write_bytes(release.to_bytes())
        with locked(store):
            activate(store, release)
    promised = set(order[-2:]) | set(sorted(order)[-keep:])
    assert set(run(store, keep)) == set(order) - promised
    assert set(serials(store)) == promised


def test_bundles_that_only_the_removed_used_go_and_shared_ones_stay(
    store: Store, pristine: Installed, tmp_path: Path
) -> None:
    newer = copy_of(pristine, tmp_path / "newer")
    reseal(newer.bundles["index"], candidates=5)
    put_in_store(store, pin(newer.bundles, serial=2))
    newest = copy_of(pristine, tmp_path / "newest")
    reseal(newest.bundles["index"], candidates=6)
    put_in_store(store, pin(newest.bundles, serial=3))
    assert len(bundles(store)) == 5
    assert run(store, keep=1) == [1]
    old_index = store.bundle_dir(pristine.release.bundles["index"])
    assert not old_index.exists()
    for digest in (store.current_digest(), store.previous_digest()):
        assert digest is not None
        prove(store.installed(digest))
    assert len(bundles(store)) == 4


def test_a_bundle_that_no_release_names_goes(store: Store) -> None:
    stray = store.bundle_dir(Digest("sha256:" + "0" * 64))
    stray.mkdir()
    (stray / "file").touch()
    assert run(store, keep=1) == []
    assert not stray.exists()
    assert list(incoming(store).iterdir()) == []


def test_what_another_process_uses_stays_until_that_process_ends(
    store: Store, pristine: Installed, other: Installed, add: Add
) -> None:
    folder = store.release_dir(pristine.release.digest)
    code = "import sys, pathlib; from rejoinder.lease import take_lease; "
    code += "held = take_lease(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "held\n"
        for serial in (2, 3):  # of another model's bundles: those of #1 are needed by the reader alone
            put_in_store(store, pin(other.bundles, serial=serial) if serial == 2 else _again(store, serial))
        assert run(store, keep=1) == []
        prove(store.installed(pristine.release.digest))
        reader.kill()
    assert run(store, keep=1) == [1]
    assert not any(store.bundle_dir(pristine.release.bundles[kind]).exists() for kind in KINDS)


def _again(store: Store, serial: int) -> Installed:
    """The current release under another serial; its bundles are in the store already."""
    current = store.current()
    folder = Path(shutil.copytree(current.folder, store.root.parent / f"again-{serial}"))
    (folder / "release.sig").unlink()
    return Installed(seal(folder, replace(current.release, serial=serial)), folder, current.bundles)


def test_a_lease_of_this_process_counts_too(store: Store, pristine: Installed, add: Add) -> None:
    add(2)
    add(3)
    lease = take_lease(store.release_dir(pristine.release.digest))
    assert run(store, keep=1) == []
    lease.close()
    assert run(store, keep=1) == [1]


def test_a_damaged_release_goes_unless_it_is_current(store: Store, pristine: Installed, add: Add) -> None:
    for serial in (2, 3):
        add(serial)
    flip(store.release_dir(pristine.release.digest) / RELEASE, 0.5)
    assert run(store, keep=9) == []
    assert serials(store) == [3, 2]
    gone = add(4)
    add(5)
    (store.release_dir(gone.digest) / RELEASE).unlink()
    assert run(store, keep=9) == []
    assert serials(store) == [5, 3, 2]


def test_what_a_damaged_current_release_needs_stays_for_its_repair(store: Store, pristine: Installed) -> None:
    flip(store.release_dir(pristine.release.digest) / RELEASE, 0.5)
    before = bundles(store)
    assert run(store, keep=1) == []
    assert bundles(store) == before
    assert store.release_dir(pristine.release.digest).is_dir()


def test_a_name_goes_by_one_rename_before_its_files_do(
    store: Store, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = store.current_digest()
    add(2)
    add(3)
    assert old is not None

    def die(path: Path, ignore_errors: bool = False) -> None:
        if path.exists():
            raise KeyboardInterrupt

    monkeypatch.setattr("registry.collect.shutil.rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        run(store, keep=1)
    assert not store.release_dir(old).exists()
    left = incoming(store) / f"{store.release_dir(old).name}.removed"
    assert (left / RELEASE).is_file()
    monkeypatch.undo()
    assert run(store, keep=1) == []
    assert serials(store) == [3, 2]


def test_an_empty_store_has_nothing_to_collect(tmp_path: Path) -> None:
    assert run(Store(tmp_path / "store"), keep=1) == []
