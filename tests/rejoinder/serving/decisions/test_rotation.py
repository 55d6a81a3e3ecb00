"""Files are begun anew by size and day, the oldest go, and a clock that jumps spoils nothing."""

from __future__ import annotations

from pathlib import Path

from rejoinder.serving.decisions.limits import Limits
from tests.rejoinder.serving.decisions.disks import Time
from tests.rejoinder.serving.decisions.samples import (
    FAST,
    NOON,
    confirm,
    eventually,
    everything,
    files,
    opened,
    reaction,
    read,
    write,
)


def test_a_full_file_is_closed_and_another_begun(tmp_path: Path) -> None:
    with opened(tmp_path, limits=Limits(max_file=1000)) as log:
        futures = [log.append(reaction(f"a{n}")) for n in range(100)]
        assert all(future.result(10) for future in futures)
        assert confirm(log, {"kind": "x" * 2000})  # alone larger than a file
    assert everything(tmp_path).count(b'"completion":"a') == 100
    sizes = [path.stat().st_size for path in files(tmp_path)]
    assert [size > 1000 for size in sizes].count(True) == 1
    assert len(sizes) > 15


def test_a_new_day_has_a_new_file(tmp_path: Path) -> None:
    time = Time(NOON.timestamp())
    with opened(tmp_path, clock=time.clock()) as log:
        confirm(log)
        time.pass_by(11 * 3600)
        confirm(log)
        assert len(files(tmp_path)) == 1
        time.pass_by(3600)
        confirm(log)  # closes the file of yesterday
        confirm(log)
        assert [path.name[:9] for path in files(tmp_path)] == ["20261127T", "20261128T"]
    assert len(read(tmp_path)) == 4


def test_a_clock_that_jumps_to_and_fro_neither_makes_a_file_each_time_nor_takes_a_name_twice(
    tmp_path: Path,
) -> None:
    time = Time(NOON.timestamp())
    with opened(tmp_path, clock=time.clock()) as log:
        for _ in range(10):
            for jump in (86400, -86400):
                time.wall += jump
                confirm(log)
        assert len(files(tmp_path)) == 1
        for _ in range(10):
            time.monotonic += 61
            time.wall += 86400
            confirm(log)
            time.monotonic += 61
            time.wall -= 86400
            confirm(log)
    assert len(read(tmp_path)) == 40


def test_a_clock_that_stands_still_does_not_keep_a_file_for_ever(tmp_path: Path) -> None:
    time = Time(NOON.timestamp())
    with opened(tmp_path, clock=time.clock()) as log:
        confirm(log)
        time.monotonic += 86400
        confirm(log)
        confirm(log)
        assert len(files(tmp_path)) == 2


def test_a_name_that_another_life_of_the_same_process_id_has_taken_is_left_alone(tmp_path: Path) -> None:
    time = Time(NOON.timestamp())
    for n in range(3):
        write(tmp_path, reaction(f"a{n}"), clock=time.clock())
    assert [path.name[-7:] for path in files(tmp_path)] == ["0.jsonl", "1.jsonl", "2.jsonl"]
    assert len(read(tmp_path)) == 3


def test_all_files_together_stay_below_their_bound_and_the_oldest_go_first(tmp_path: Path) -> None:
    limits = Limits(max_file=2000, max_total=10_000, flush_s=0.001, watch_s=600, tidy_s=600)
    with opened(tmp_path, limits=limits) as log:
        for n in range(300):
            assert confirm(log, reaction(f"a{n}"))
        eventually(lambda: len(everything(tmp_path)) <= 10_000)
        eventually(lambda: log.status().removed > 15)
    ids = [record["completion"] for record in read(tmp_path)]
    assert ids == [f"a{n}" for n in range(300 - len(ids), 300)]
    assert len(ids) > 20


def test_files_that_are_too_old_go_and_a_file_that_is_written_stays(tmp_path: Path) -> None:
    time = Time(NOON.timestamp())
    write(tmp_path, reaction("old"), clock=time.clock())
    time.pass_by(20 * 86400)
    write(tmp_path, reaction("new"), clock=time.clock())
    time.pass_by(11 * 86400)
    with opened(tmp_path, clock=time.clock(), limits=FAST, retention_days=30) as log:
        eventually(lambda: log.status().removed == 1)
        assert [record["completion"] for record in read(tmp_path)] == ["new"]


def test_a_clock_that_jumps_into_the_future_removes_nothing_before_it_has_stayed_there(tmp_path: Path) -> None:
    time = Time(NOON.timestamp())
    write(tmp_path, reaction(), clock=time.clock())
    with opened(tmp_path, clock=time.clock(), limits=FAST, retention_days=30) as log:
        time.wall += 1000 * 86400
        for _ in range(10):
            time.monotonic += 1
            time.wall += 1
            eventually(lambda: confirm(log))
        assert log.status().removed == 0
        time.pass_by(3601)
        eventually(lambda: log.status().removed == 1)


def test_without_retention_nothing_is_too_old(tmp_path: Path) -> None:
    time = Time(NOON.timestamp())
    write(tmp_path, reaction(), clock=time.clock())
    time.pass_by(10_000 * 86400)
    write(tmp_path, reaction(), clock=time.clock(), limits=FAST)
    assert len(read(tmp_path)) == 2
