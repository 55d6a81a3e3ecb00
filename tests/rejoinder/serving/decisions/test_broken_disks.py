"""A disk that is full or broken, a folder that goes away: counted, and over when it is over."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rejoinder.serving.decisions.read import Counts, Logged, read_decisions
from tests.rejoinder.serving.decisions.disks import Disk
from tests.rejoinder.serving.decisions.samples import (
    answer,
    confirm,
    files,
    opened,
    reaction,
    read,
    write,
)

#: Bytes of one reaction.
LINE = len(json.dumps(reaction("a0"), separators=(",", ":"))) + 1


@pytest.mark.parametrize("room", [0, 1, LINE - 1, LINE, LINE + 1, 2 * LINE + 50])
def test_a_full_disk_drops_records_leaves_whole_lines_and_is_forgotten_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    disk, reasons = Disk(tmp_path, monkeypatch), Counter[str]()
    with opened(tmp_path, on_failure=lambda reason: reasons.update([reason])) as log:
        assert confirm(log, reaction("before"))
        disk.room = room
        futures = [log.append(reaction(f"a{n}"), durable=n == 9) for n in range(10)]
        fates = [future.result(10) for future in futures]
        before = read(tmp_path)
        disk.room = None
        assert confirm(log, reaction("after"))
    kept = [f"a{n}" for n, is_written in enumerate(fates) if is_written]
    assert len(kept) == room // LINE
    assert [record["completion"] for record in before] == ["before", *kept]
    assert [record["completion"] for record in read(tmp_path)] == ["before", *kept, "after"]
    assert reasons == log.status().failed == {"no_space": 10 - len(kept)}
    assert len(files(tmp_path)) == 1


def test_a_short_write_is_no_failure_as_long_as_the_rest_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write_all(handle, data[:7]))
    write(tmp_path, reaction(), answer())
    monkeypatch.undo()
    assert read(tmp_path) == [reaction(), answer()]


def test_a_torn_line_that_cannot_be_cut_off_is_the_last_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path, monkeypatch)
    with opened(tmp_path) as log:
        confirm(log, reaction("before"))
        with monkeypatch.context() as broken:
            broken.setattr(os, "ftruncate", lambda handle, size: os.close(-1))
            disk.room, disk.error = 30, errno.EIO
            assert not confirm(log)
        disk.room = None
        assert confirm(log, reaction("after"))
        assert log.status().failed == {"io": 1}
    counts = Counts()
    found = [line.record["completion"] for line in read_decisions(tmp_path, counts) if isinstance(line, Logged)]
    assert (sorted(found), counts.torn, counts.rejected) == (["after", "before"], 1, 0)


def test_a_flush_that_fails_confirms_nothing_and_another_file_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as log:
        with monkeypatch.context() as broken:
            broken.setattr(os, "fdatasync", lambda handle: os.close(-1))
            assert not confirm(log, reaction("before"))
        assert confirm(log, reaction("after"))
        assert log.status().failed == {"io": 1}
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_folder_that_is_removed_or_moved_away_is_made_anew(tmp_path: Path, is_moved: bool) -> None:
    folder = tmp_path / "decisions"
    with opened(folder) as log:
        confirm(log, reaction("before"))
        if is_moved:
            folder.rename(tmp_path / "old")
        else:
            shutil.rmtree(folder)
        assert confirm(log, reaction("after"))
        assert log.status().failed == {"removed": 1}
    assert [record["completion"] for record in read(folder)] == ["after"]


@pytest.mark.parametrize(
    ("error", "reason"), [(errno.EROFS, "read_only"), (errno.EACCES, "read_only"), (errno.EDQUOT, "no_space")]
)
def test_a_folder_in_which_nothing_can_be_made_is_counted_until_it_is_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, reason: str
) -> None:
    open_file = os.open

    def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT and tmp_path in Path(path).parents:
            raise OSError(error, os.strerror(error))
        return open_file(path, flags, *rest, **more)

    with opened(tmp_path) as log:
        with monkeypatch.context() as broken:
            broken.setattr(os, "open", refuse)
            assert not confirm(log)
        assert confirm(log)
        assert log.status().failed == {reason: 1}


def test_a_file_in_place_of_the_folder_is_counted(tmp_path: Path) -> None:
    (tmp_path / "decisions").write_text("")
    with opened(tmp_path / "decisions") as log:
        assert not confirm(log)
        (tmp_path / "decisions").unlink()
        assert confirm(log)


def test_a_writer_outlives_an_error_that_nobody_thought_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as log:
        with monkeypatch.context() as broken:
            broken.setattr("rejoinder.serving.decisions.segment.file_name", lambda *_: 1 / 0)
            assert not confirm(log)
        assert confirm(log)
