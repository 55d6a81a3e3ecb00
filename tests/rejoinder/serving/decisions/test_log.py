"""Records are on the disk in time, and who appends neither waits nor hears of an error."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from rejoinder.serving.decisions.limits import MAX_LINE, REASONS, Limits
from rejoinder.serving.decisions.log import DecisionLog
from tests.rejoinder.serving.decisions.disks import Time
from tests.rejoinder.serving.decisions.samples import (
    FAST,
    NOON,
    SECRETS,
    STILL,
    answer,
    confirm,
    eventually,
    everything,
    feedback,
    files,
    opened,
    reaction,
    read,
    write,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_records_are_written_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    written = [answer(), reaction(), feedback(), answer("c2")]
    write(tmp_path, *written)
    assert read(tmp_path) == written


def test_an_answer_is_written_within_100_ms_and_flushed_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[float] = []
    monkeypatch.setattr(os, "fdatasync", lambda handle: flushed.append(time.monotonic()))
    written, safe = [], []
    with opened(tmp_path, limits=None) as log:
        for _ in range(5):  # on a shared machine one try says nothing
            flushed.clear()
            start = time.monotonic()
            assert log.append(answer()).result(10)
            written.append(time.monotonic() - start)
            eventually(lambda: flushed)
            safe.append(flushed[0] - start)
    assert min(written) < 0.1
    assert min(safe) < 1


def test_a_durable_record_is_confirmed_after_it_was_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda handle: events.append("flushed"))
    with opened(tmp_path) as log:
        future = log.append(reaction(), durable=True)
        future.add_done_callback(lambda _: events.append("confirmed"))
        assert future.result(10)
        eventually(lambda: len(events) == 2)
    assert events[:2] == ["flushed", "confirmed"]


def test_durable_records_that_come_while_the_disk_is_busy_share_one_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, flushes = threading.Event(), []

    def fdatasync(handle: int) -> None:
        flushes.append(handle)
        busy.wait(10)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with opened(tmp_path) as log:
        futures = [log.append(reaction(), durable=True)]
        eventually(lambda: flushes)
        futures += [log.append(reaction(), durable=True) for _ in range(50)]
        busy.set()
        assert all(future.result(10) for future in futures)
    assert len(flushes) == 2


def test_whoever_appends_does_not_wait_for_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, reasons = threading.Event(), Counter[str]()
    monkeypatch.setattr(os, "fdatasync", lambda handle: hangs.wait(10))
    limits = Limits(queue_records=10, watch_s=600)
    with opened(tmp_path, limits=limits, on_failure=lambda reason: reasons.update([reason])) as log:
        first = log.append(reaction(), durable=True)
        eventually(lambda: log.status().written == 1)
        start = time.monotonic()
        futures = [log.append(reaction(), durable=True) for _ in range(15)]
        assert time.monotonic() - start < 1
        assert [future.result(0) for future in futures[10:]] == [False] * 5
        assert log.status().pending == 10
        hangs.set()
        assert all(future.result(10) for future in [first, *futures[:10]])
    assert reasons == log.status().failed == {"full": 5}
    assert len(read(tmp_path)) == 11


def test_the_queue_is_bounded_in_bytes_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, limits=Limits(queue_bytes=1000, flush_s=5, watch_s=600)) as log:
        futures = [log.append(reaction()) for _ in range(20)]
        dropped = [future for future in futures if future.done()]
        assert 10 < len(dropped) < 20
    assert len(read(tmp_path)) == 20 - len(dropped)


def test_many_threads_append_at_once(tmp_path: Path) -> None:
    futures: list[Future[bool]] = []
    with opened(tmp_path, limits=FAST) as log:

        def work() -> None:
            futures.extend(log.append(reaction(), durable=n % 10 == 0) for n in range(200))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(future.result(10) for future in futures)
    assert len(read(tmp_path)) == log.status().written == 1600


def test_a_future_cannot_be_cancelled_and_one_that_waits_with_a_callback_that_fails_harms_nobody(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as log:
        future = log.append(reaction(), durable=True)
        future.add_done_callback(lambda _: 1 / 0)
        assert not future.cancel()
        assert future.result(10)
        assert confirm(log)


@pytest.mark.parametrize(
    "record",
    [{"at": object()}, {"score": float("nan")}, {"text": "x" * MAX_LINE}, 7, {"deep": None}],
    ids=["object", "nan", "long", "number", "circle"],
)
def test_what_no_line_can_hold_is_counted_and_the_next_is_written(tmp_path: Path, record: Any) -> None:
    if isinstance(record, dict) and "deep" in record:
        record["deep"] = record
    with opened(tmp_path, on_failure=lambda reason: 1 / 0) as log:
        assert log.append(record, durable=True).result(10) is False
        assert confirm(log)
        assert log.status().failed == {"invalid": 1}
    assert len(read(tmp_path)) == 1


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write(tmp_path / "home" / "decisions", reaction())
    finally:
        os.umask(old)
    (file,) = files(tmp_path / "home" / "decisions")
    assert (mode(file.parent), mode(file)) == (0o700, 0o600)


def test_a_file_is_named_by_its_start_worker_process_and_number(tmp_path: Path) -> None:
    time = Time(NOON.timestamp())
    write(tmp_path, reaction(), worker=3, clock=time.clock())
    assert [path.name for path in files(tmp_path)] == [f"20261127T120000Z-w3-{os.getpid()}-0.jsonl"]


def test_nothing_is_made_before_there_is_something_to_write(tmp_path: Path) -> None:
    write(tmp_path / "decisions")
    assert not (tmp_path / "decisions").exists()


def test_a_file_is_held_while_it_is_written_and_no_longer(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        confirm(log)
        with files(tmp_path)[0].open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    with files(tmp_path)[0].open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_two_workers_write_beside_each_other(tmp_path: Path) -> None:
    with opened(tmp_path, worker=0) as one, opened(tmp_path, worker=1) as other:
        for n in range(10):
            assert confirm(one, reaction(f"a{n}"))
            assert confirm(other, reaction(f"b{n}"))
    assert len(files(tmp_path)) == 2
    assert len({record["completion"] for record in read(tmp_path)}) == 20


def test_without_texts_no_text_gets_in_even_if_a_record_has_some(tmp_path: Path) -> None:
    write(tmp_path, answer(with_text=True))
    assert read(tmp_path) == [answer()]
    assert [text for text in (*SECRETS, "alice", "talk") if text.encode() in everything(tmp_path)] == []


def test_with_texts_they_are_there(tmp_path: Path) -> None:
    write(tmp_path, answer(with_text=True), with_text=True)
    assert read(tmp_path) == [answer(with_text=True)]


def test_after_the_close_a_record_is_refused_and_closing_again_does_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        confirm(log)
    assert log.append(reaction()).result(0) is False
    assert log.status().failed == {"closed": 1}
    assert log.close()
    assert len(read(tmp_path)) == 1


def test_a_close_that_the_disk_keeps_waiting_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(os, "fdatasync", lambda handle: hangs.wait(10))
    log = DecisionLog(tmp_path, with_text=False, limits=STILL)
    log.append(reaction(), durable=True)
    assert not log.close(timeout=0.1)
    hangs.set()
    assert log.close()


def test_reasons_are_a_closed_list() -> None:
    assert len(set(REASONS)) == len(REASONS) == 9
