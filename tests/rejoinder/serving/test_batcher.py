"""What comes while all are busy is answered together; nobody waits for an idle thread; what fails, fails alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

import pytest

from rejoinder.errors import ClosedError, QueueFullError
from rejoinder.serving.batcher import Batcher, Bounds, Job
from tests.rejoinder.serving.apis import SOON, until

Opened = Callable[..., tuple[Batcher, "Desk"]]


class Desk:
    """Notes each batch, and answers it when it may."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may_answer = threading.Event()
        self._lock = threading.Lock()

    def run(self, jobs: Sequence[Job[Any]]) -> None:
        """Answer a batch."""
        with self._lock:
            self.batches.append([job.using for job in jobs])
        assert self.may_answer.wait(SOON)
        for job in jobs:
            job.finish()

    def begun(self, count: int) -> bool:
        """Wait until so many batches have begun."""
        return until(lambda: len(self.batches) >= count)


def job(name: str, rows: int = 1, work: Callable[[Job[str]], str] | None = None) -> Job[str]:
    """A job that is answered by its name."""
    return Job(name, lambda: [name], work or (lambda self: self.using.upper()), rows)


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens batchers before desks; in the end all is answered and closed."""
    with ExitStack() as stack:

        def open_(threads: int = 1, **bounds: float) -> tuple[Batcher, Desk]:
            desk = Desk()
            batcher = Batcher(desk.run, threads, Bounds(**bounds))  # type: ignore[arg-type]
            stack.callback(batcher.close)
            stack.callback(desk.may_answer.set)
            return batcher, desk

        yield open_


def busy(batcher: Batcher, desk: Desk, threads: int = 1) -> list[Future[str]]:
    """Keep all threads busy."""
    answers = []
    for number in range(1, threads + 1):
        answers.append(batcher.submit(job("first")))
        assert desk.begun(number)
    return answers


def test_what_came_while_the_thread_was_busy_is_answered_together(opened: Opened) -> None:
    batcher, desk = opened()
    first = busy(batcher, desk)
    answers = first + [batcher.submit(job(name)) for name in "abc"]
    assert batcher.waiting == 3
    desk.may_answer.set()
    assert [answer.result(SOON) for answer in answers] == ["FIRST", "A", "B", "C"]
    assert desk.batches == [["first"], ["a", "b", "c"]]
    assert batcher.waiting == 0


def test_nobody_waits_for_company_while_a_thread_is_idle(opened: Opened) -> None:
    batcher, desk = opened(threads=2)
    busy(batcher, desk)
    batcher.submit(job("a"))
    assert desk.begun(2)  # though the first is not answered, and nobody else has come
    assert desk.batches == [["first"], ["a"]]


def test_a_thread_leaves_the_others_their_share_even_those_that_are_busy(opened: Opened) -> None:
    batcher, desk = opened(threads=3)
    first = busy(batcher, desk)
    with batcher._changed:  # nobody looks before all are there
        answers = [batcher.submit(job(name)) for name in "abcd"]
    assert desk.begun(3)
    assert sorted(desk.batches[1:]) == [["a", "b"], ["c"]]
    desk.may_answer.set()
    assert [answer.result(SOON) for answer in first + answers] == ["FIRST", *"ABCD"]
    assert desk.batches[-1] == ["d"]


def test_a_batch_holds_no_more_rows_than_it_may(opened: Opened) -> None:
    batcher, desk = opened(rows=4)
    busy(batcher, desk)
    answers = [batcher.submit(job(name, rows)) for name, rows in (("a", 2), ("b", 2), ("c", 3), ("d", 1), ("e", 1))]
    desk.may_answer.set()
    assert [answer.result(SOON) for answer in answers] == list("ABCDE")
    assert desk.batches[1:] == [["a", "b"], ["c", "d"], ["e"]]


def test_a_job_of_more_rows_than_a_batch_may_hold_is_a_batch_of_its_own(opened: Opened) -> None:
    batcher, desk = opened(rows=4)
    busy(batcher, desk)
    answers = [batcher.submit(job(name, rows)) for name, rows in (("a", 1), ("large", 9), ("b", 1))]
    desk.may_answer.set()
    assert [answer.result(SOON) for answer in answers] == ["A", "LARGE", "B"]
    assert desk.batches[1:] == [["a"], ["large"], ["b"]]


def test_who_waits_for_company_is_joined_by_who_comes_in_time(opened: Opened) -> None:
    batcher, desk = opened(rows=3, wait_s=SOON)
    for name in "abc":
        batcher.submit(job(name))
    assert desk.begun(1)
    assert desk.batches == [["a", "b", "c"]]


def test_who_waits_for_company_does_not_wait_for_ever(opened: Opened) -> None:
    batcher, desk = opened(rows=3, wait_s=0.02)
    batcher.submit(job("a"))
    assert desk.begun(1)
    assert desk.batches == [["a"]]


def test_a_full_queue_takes_nothing_more_until_there_is_room(opened: Opened) -> None:
    batcher, desk = opened(queue_rows=3)
    busy(batcher, desk)
    taken = [batcher.submit(job("a", 2)), batcher.submit(job("b", 1))]
    refused = job("c")
    with pytest.raises(QueueFullError, match=r"at most 3 rows to wait, got 3 and 1 more\. Next: ask again"):
        batcher.submit(refused)
    desk.may_answer.set()
    assert [answer.result(SOON) for answer in taken] == ["A", "B"]
    assert batcher.submit(refused).result(SOON) == "C"


def test_a_job_larger_than_the_queue_is_taken_if_nothing_else_waits(opened: Opened) -> None:
    batcher, desk = opened(queue_rows=3)
    busy(batcher, desk)
    large = batcher.submit(job("large", 100))
    with pytest.raises(QueueFullError):
        batcher.submit(job("a"))
    desk.may_answer.set()
    assert large.result(SOON) == "LARGE"


def test_who_would_wait_longer_than_they_may_by_the_pace_of_late_is_told_to_come_back(opened: Opened) -> None:
    batcher, desk = opened(queue_s=0.05)
    first = busy(batcher, desk)
    time.sleep(0.06)  # so long takes a row
    desk.may_answer.set()
    assert first[0].result(SOON) == "FIRST"
    assert until(lambda: batcher._row_s > 0)
    desk.may_answer.clear()
    batcher.submit(job("second"))  # nobody is before it: it is taken whatever the pace
    assert desk.begun(2)
    waiting = batcher.submit(job("waiting"))
    with pytest.raises(QueueFullError, match=r"expected to wait 0\.05 s at most, got 0\."):
        batcher.submit(job("too late"))
    desk.may_answer.set()
    assert waiting.result(SOON) == "WAITING"


def test_one_jobs_error_hurts_nobody_else_of_its_batch(opened: Opened) -> None:
    def fail(job: Job[str]) -> str:
        raise KeyError(job.using)

    batcher, desk = opened()
    busy(batcher, desk)
    answers = [batcher.submit(job("a")), batcher.submit(job("bad", work=fail)), batcher.submit(job("b"))]
    desk.may_answer.set()
    assert (answers[0].result(SOON), answers[2].result(SOON)) == ("A", "B")
    with pytest.raises(KeyError, match="bad"):
        answers[1].result(SOON)
    assert desk.batches[1:] == [["a", "bad", "b"]]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3)])
def test_what_a_batch_left_without_an_answer_gets_its_error_and_the_thread_lives_on(error: BaseException) -> None:
    def run(jobs: Sequence[Job[Any]]) -> None:
        jobs[0].finish()
        if jobs[0].using == "bad":
            raise error

    batcher = Batcher(run)
    try:
        assert batcher.submit(job("bad")).result(SOON) == "BAD"  # it had its answer before
        assert batcher.submit(job("good")).result(SOON) == "GOOD"
    finally:
        batcher.close()


def test_a_batch_that_fails_as_a_whole_tells_everybody() -> None:
    def run(jobs: Sequence[Job[Any]]) -> None:
        raise ValueError("broken")

    batcher = Batcher(run)
    try:
        with pytest.raises(ValueError, match="broken"):
            batcher.submit(job("a")).result(SOON)
    finally:
        batcher.close()


def test_a_job_that_was_taken_back_is_never_run(opened: Opened) -> None:
    batcher, desk = opened()
    busy(batcher, desk)
    left, stays = batcher.submit(job("left")), batcher.submit(job("stays"))
    assert left.cancel()
    desk.may_answer.set()
    assert stays.result(SOON) == "STAYS"
    assert desk.batches == [["first"], ["stays"]]


def test_nobody_wants_a_job_that_was_left_or_is_overdue() -> None:
    wanted, left, overdue = job("wanted"), job("left"), job("overdue")
    left.has_left, overdue.until = True, time.monotonic() - 1
    assert [each.is_wanted() for each in (wanted, left, overdue)] == [True, False, False]


def test_a_job_knows_how_long_it_waited(opened: Opened) -> None:
    batcher, desk = opened()
    busy(batcher, desk)
    waiting = job("a")
    answer = batcher.submit(waiting)
    time.sleep(0.03)
    desk.may_answer.set()
    answer.result(SOON)
    assert 0.03 <= waiting.waited_s < SOON


def test_closing_answers_what_waits_and_takes_nothing_new(opened: Opened) -> None:
    batcher, desk = opened(threads=2, rows=2)
    busy(batcher, desk, threads=2)
    answers = [batcher.submit(job(name)) for name in "abcde"]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    assert until(lambda: batcher._is_closed)
    with pytest.raises(ClosedError, match="going away"):
        batcher.submit(job("late"))
    desk.may_answer.set()
    closing.join(SOON)
    assert [answer.result(0) for answer in answers] == list("ABCDE")
    assert not any(thread.is_alive() for thread in batcher._threads)
    batcher.close()  # once more does no harm


def test_many_who_ask_at_once_are_all_answered(opened: Opened) -> None:
    batcher, desk = opened(threads=3, rows=5, queue_rows=1000)
    desk.may_answer.set()
    answers: list[tuple[str, Future[str]]] = []

    def ask(who: int) -> None:
        for number in range(50):
            name = f"{who}-{number}"
            answers.append((name, batcher.submit(job(name, rows=1 + number % 7))))

    threads = [threading.Thread(target=ask, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert len(answers) == 400
    assert all(answer.result(SOON) == name.upper() for name, answer in answers)
    assert batcher.waiting == 0
