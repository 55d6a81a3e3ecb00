"""Leases: who reads a release keeps it; who is gone keeps nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rejoinder.errors import StoreError
from rejoinder.release.document import RELEASE
from rejoinder.store.lease import sole_use, take_lease


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / RELEASE).write_text("{}")
    return folder


def test_readers_share_and_keep_the_remover_off(folder: Path) -> None:
    first, second = take_lease(folder), take_lease(folder)
    with sole_use(folder) as alone:
        assert not alone
    first.close()
    with sole_use(folder) as alone:
        assert not alone
    second.close()
    with sole_use(folder) as alone:
        assert alone


def test_no_lease_is_given_while_a_folder_is_being_removed(folder: Path) -> None:
    with sole_use(folder) as alone:
        assert alone
        with pytest.raises(StoreError, match=r"release: the release was removed meanwhile\. Next: try again"):
            take_lease(folder)
    take_lease(folder).close()


def test_no_lease_on_what_is_gone(folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(StoreError, match="removed meanwhile"):
        take_lease(folder)


def test_a_release_removed_between_opening_and_locking_gives_no_lease(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rejoinder.store.lease.fcntl.flock", lambda *_: (folder / RELEASE).unlink(missing_ok=True))
    with pytest.raises(StoreError, match="removed meanwhile"):
        take_lease(folder)


def test_a_killed_reader_gives_its_lease_back(folder: Path) -> None:
    code = "import sys, pathlib; from rejoinder.store.lease import take_lease; "
    code += "held = take_lease(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "held\n"
        with sole_use(folder) as alone:
            assert not alone
        reader.kill()
    with sole_use(folder) as alone:
        assert alone
