"""Files are whole or not there, hold what was written last, and leave nothing beside them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rejoinder.atomic import create_secret, write_bytes, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_takes_the_place_of_the_older_one(tmp_path: Path) -> None:
    for text in ("old, and longer", "nëw"):
        write_text(tmp_path / "file", text)
    assert (tmp_path / "file").read_bytes() == "nëw".encode()
    assert names(tmp_path) == ["file"]


def test_what_was_written_is_on_the_disk_before_it_takes_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        is_named = (tmp_path / "file").exists()
        events.append(f"{'folder' if path == tmp_path else path.read_text()}, {'named' if is_named else 'unnamed'}")

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(tmp_path / "file", "whole")
    assert events == ["whole, unnamed", "folder, named"]


def test_permissions_are_there_from_the_beginning(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        write_text(tmp_path / "open", "")
        write_text(tmp_path / "closed", "", mode=0o600)
    finally:
        os.umask(old)
    assert (mode(tmp_path / "open"), mode(tmp_path / "closed")) == (0o644, 0o600)


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "file", "old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (write_bytes, create_secret):
        with pytest.raises(OSError, match="No space"):
            write(tmp_path / ("file" if write is write_bytes else "key"), b"new")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_what_a_killed_writer_left_under_a_fixed_name_goes_with_the_next(tmp_path: Path) -> None:
    file, partial = tmp_path / "file", tmp_path / "file.part"
    code = (
        "import os, signal, pathlib\n"
        "from rejoinder import atomic\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"atomic.write_text(pathlib.Path({str(file)!r}), 'half', partial=pathlib.Path({str(partial)!r}))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert names(tmp_path) == ["file.part"]
    partial.chmod(0o644)
    write_text(file, "whole", mode=0o600, partial=partial)
    assert names(tmp_path) == ["file"]
    assert (file.read_text(), mode(file)) == ("whole", 0o600)


def test_many_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    texts = [f"{number}" * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_text(tmp_path / "file", text), texts))
    assert (tmp_path / "file").read_text() in texts
    assert names(tmp_path) == ["file"]


def test_the_first_secret_stays(tmp_path: Path) -> None:
    create_secret(tmp_path / "key", b"first")
    with pytest.raises(FileExistsError):
        create_secret(tmp_path / "key", b"second")
    assert ((tmp_path / "key").read_bytes(), mode(tmp_path / "key")) == (b"first", 0o600)
    assert names(tmp_path) == ["key"]


def test_of_many_who_make_a_secret_one_wins(tmp_path: Path) -> None:
    def make(number: int) -> int | None:
        try:
            create_secret(tmp_path / "key", f"{number}".encode())
        except FileExistsError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        won = [number for number in pool.map(make, range(8)) if number is not None]
    assert [(tmp_path / "key").read_text()] == [str(number) for number in won]
    assert names(tmp_path) == ["key"]
