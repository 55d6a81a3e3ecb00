"""Who is erased is in no byte of the log, whoever writes it meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rejoinder.errors import InputError
from rejoinder.serving.decisions.erase import Erasure, erase
from rejoinder.serving.decisions.limits import Limits
from rejoinder.serving.decisions.tombstones import add_tombstones, read_tombstones, tombstones
from tests.rejoinder.serving.decisions.disks import Disk
from tests.rejoinder.serving.decisions.samples import (
    FAST,
    KEYER,
    NOON,
    answer,
    bytes_of,
    confirm,
    eventually,
    everything,
    feedback,
    files,
    later,
    opened,
    reaction,
    read,
    write,
)

ALICE = KEYER.keyed("user", "alice")
TALK = KEYER.keyed("conversation", "talk")


def trace_of(folder: Path, identity: str) -> bool:
    """Whether an id is left anywhere but on its tombstone."""
    data = b"".join(bytes_of(path) for path in folder.iterdir() if path.name != "erased.jsonl")
    return identity.encode() in data


def bob(completion: str) -> dict[str, object]:
    return answer(completion, "other", "bob")


def test_a_user_is_erased_with_the_reactions_to_what_was_answered(tmp_path: Path) -> None:
    write(tmp_path, answer("c1"), bob("c2"), reaction("c2"), feedback())
    write(tmp_path, reaction("c1", user="bob"), reaction("c2", user="bob"), worker=1)
    assert erase(tmp_path, "user", ALICE) == Erasure(records=4, files=2)
    assert [(r["kind"], r["completion"]) for r in read(tmp_path)] == [("answer", "c2"), ("reaction", "c2")]
    assert not trace_of(tmp_path, ALICE)
    assert not trace_of(tmp_path, '"c1"')


def test_a_conversation_is_erased(tmp_path: Path) -> None:
    write(tmp_path, answer("c1"), answer("c2", "other"), feedback("talk", None), reaction("c1", None))
    assert erase(tmp_path, "conversation", TALK) == Erasure(records=3, files=1)
    assert [record["completion"] for record in read(tmp_path)] == ["c2"]
    assert not trace_of(tmp_path, TALK)


def test_a_file_of_which_nothing_is_left_goes_and_others_are_not_touched(tmp_path: Path) -> None:
    write(tmp_path, answer())
    write(tmp_path, bob("c2"), worker=1)
    untouched = files(tmp_path)[1].stat()
    erase(tmp_path, "user", ALICE)
    (left,) = files(tmp_path)
    assert (left.stat().st_ino, left.stat().st_mtime_ns) == (untouched.st_ino, untouched.st_mtime_ns)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([left.name, "erased.jsonl"])


def test_what_is_rewritten_is_for_its_owner_alone(tmp_path: Path) -> None:
    write(tmp_path, answer(), bob("c2"))
    erase(tmp_path, "user", ALICE)
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}


def test_lines_that_nobody_can_read_go_as_well(tmp_path: Path) -> None:
    write(tmp_path, bob("c1"))
    with files(tmp_path)[0].open("ab") as file:
        file.write(b"nonsense\n" + f'{{"user":"{ALICE}",,}}\n{{"kind": "torn", "user": "{ALICE}'.encode())
    assert erase(tmp_path, "user", ALICE) == Erasure(unreadable=3)
    assert read(tmp_path) == [bob("c1")]
    assert not trace_of(tmp_path, ALICE)


def test_records_of_a_later_version_go_by_their_ids_and_stay_otherwise(tmp_path: Path) -> None:
    write(tmp_path, {"v": 2, "kind": "new", "user": ALICE}, {"v": 2, "kind": "new", "user": "b"})
    assert erase(tmp_path, "user", ALICE) == Erasure(records=1, files=1)
    assert everything(tmp_path).count(b'"v":2') == 1


def test_erasing_again_or_somebody_unknown_finds_nothing(tmp_path: Path) -> None:
    write(tmp_path, answer(), bob("c2"))
    erase(tmp_path, "user", ALICE)
    assert erase(tmp_path, "user", ALICE) == erase(tmp_path, "user", "f" * 32) == Erasure()


def test_what_comes_later_is_a_new_beginning(tmp_path: Path) -> None:
    write(tmp_path, answer(at=NOON))
    erase(tmp_path, "user", ALICE)
    write(tmp_path, answer("c2", at=later(10**9)))
    assert [record["completion"] for record in read(tmp_path)] == ["c2"]
    assert erase(tmp_path, "user", ALICE).records == 1  # and can be erased again, whatever the clock says


def test_a_late_reaction_to_an_erased_answer_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, answer("c1"))
    erase(tmp_path, "user", ALICE)
    write(tmp_path, reaction("c1", user="bob", at=later(10**9)))
    assert read(tmp_path) == []


def test_a_living_worker_erases_from_its_own_file(tmp_path: Path) -> None:
    assert Limits().watch_s <= 1  # seconds
    with opened(tmp_path, limits=None) as log, opened(tmp_path, limits=None, worker=1) as other:
        confirm(log, answer("c1"))
        confirm(log, bob("c2"))
        confirm(other, reaction("c1", user="bob"))
        held = tuple(path.name for path in files(tmp_path))
        assert erase(tmp_path, "user", ALICE) == Erasure(held=held)
        assert read(tmp_path) == [bob("c2")]  # at once
        eventually(lambda: not trace_of(tmp_path, ALICE) and not trace_of(tmp_path, '"c1"'))
        assert confirm(log, bob("c3"))
        assert log.status().failed == other.status().failed == {}
    assert read(tmp_path) == [bob("c2"), bob("c3")]


def test_a_living_worker_whom_it_does_not_concern_goes_on_in_its_file(tmp_path: Path) -> None:
    write(tmp_path, answer("c1"))
    with opened(tmp_path, limits=FAST, worker=1) as log:
        confirm(log, bob("c2"))
        erase(tmp_path, "user", ALICE)
        time.sleep(0.2)
        confirm(log, bob("c3"))
        assert len(files(tmp_path)) == 1


def test_what_a_killed_worker_has_left_is_erased_at_the_next_start(tmp_path: Path) -> None:
    with opened(tmp_path, worker=5) as log:
        confirm(log, answer("c1"))
        erase(tmp_path, "user", ALICE)  # held, and the worker does not look before it ends
        confirm(log, answer("c2", at=later(10**9)))
    assert trace_of(tmp_path, '"c1"')
    with opened(tmp_path, limits=FAST, worker=0):
        eventually(lambda: not trace_of(tmp_path, '"c1"'))
    assert [record["completion"] for record in read(tmp_path)] == ["c2"]


def test_a_living_worker_tries_again_after_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, limits=FAST) as log:
        confirm(log, answer("c1"))
        confirm(log, bob("c2"))
        with monkeypatch.context() as broken:
            broken.setattr("rejoinder.serving.decisions.erase.write_bytes", lambda *_, **__: os.close(-1))
            add_tombstones(tmp_path, tombstones("user", [ALICE]))
            eventually(lambda: log.status().failed.get("erasure", 0) > 1)
            assert read(tmp_path) == [bob("c2")]
        eventually(lambda: not trace_of(tmp_path, ALICE))


def test_an_erasure_that_the_disk_has_no_room_for_leaves_no_half_a_tombstone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, answer(), bob("c2"))
    disk = Disk(tmp_path, monkeypatch)
    disk.room = 20
    with pytest.raises(OSError, match="No space"):
        erase(tmp_path, "user", ALICE)
    disk.room = None
    assert read_tombstones(tmp_path) == []
    assert erase(tmp_path, "user", ALICE).records == 1


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Next: "):
        erase(tmp_path / "none", "user", ALICE)


ERASE = """
import sys
from pathlib import Path
from rejoinder.serving.decisions.erase import erase
erase(Path(sys.argv[1]), "user", sys.argv[2])
"""


def test_a_killed_erasure_leaves_a_log_that_reads_and_that_the_next_one_finishes(tmp_path: Path) -> None:
    for worker in range(30):
        write(tmp_path, answer(f"a{worker}"), bob(f"b{worker}"), worker=worker)
    for delay in (0.05, 0.1, 0.15, 0.2):
        process = subprocess.Popen([sys.executable, "-c", ERASE, str(tmp_path), ALICE])
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert {r["completion"] for r in read(tmp_path)} >= {f"b{worker}" for worker in range(30)}
    erase(tmp_path, "user", ALICE)
    assert not trace_of(tmp_path, ALICE)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
