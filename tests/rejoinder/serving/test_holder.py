"""One release takes over from another, or does not; either way somebody answers."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from faults.swaps import hundred_swaps, wrong_with
from rejoinder.answer.reply import Reply
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.errors import IntegrityError, ProbeError, SwapError
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.proof import Installed
from rejoinder.serving import holder as module
from rejoinder.serving.holder import Holder
from rejoinder.store.lease import sole_use
from tests.bundles import REPLIES
from tests.rejoinder.serving.apis import SOON, until

HELLO = Dialogue((Turn("user", "hello"),))


@pytest.fixture
def holder(mine: Installed) -> Holder:
    """Serves the small release."""
    return Holder(open_release(mine))


@contextmanager
def a_request_that_hangs(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A request that is being answered until the event is set."""
    started, go_on = threading.Event(), threading.Event()
    answer = Responder.answer

    def slow(self: Responder, dialogue: Dialogue) -> Reply:
        started.set()
        assert go_on.wait(SOON)
        return answer(self, dialogue)

    monkeypatch.setattr(Responder, "answer", slow)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(holder.answer, HELLO)
        assert started.wait(SOON)
        monkeypatch.setattr(Responder, "answer", answer)
        try:
            yield go_on
        finally:
            go_on.set()
        assert future.result(SOON).text is not None


def test_a_hundred_swaps_under_load_lose_no_request_and_no_memory(tmp_path: Path) -> None:
    outcome = hundred_swaps(tmp_path)
    assert (outcome.tries, outcome.survived) == (100, 100), outcome.note


def test_a_swap_changes_who_answers(holder: Holder, mine: Installed, second: Installed) -> None:
    assert holder.answer(HELLO).trace.release == str(mine.release)
    assert holder.swap(second) == second.release
    assert holder.answer(HELLO).trace.release == str(second.release)
    status = holder.status()
    assert (status.release, status.swaps, status.failed) == (second.release, 1, 0)
    assert (status.in_flight, status.draining) == (0, 0)


def test_the_new_release_is_used_before_anybody_asks_it(
    holder: Holder, second: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []
    searches: list[int] = []

    def opener(installed: Installed) -> OpenRelease:
        opened = open_release(installed)
        encode, search = opened.vectorizer.encode, opened.index.search

        def see_encode(texts: list[str]) -> Any:
            lengths.append(len(opened.vectorizer.tokenize(texts)[0]))
            return encode(texts)

        def see_search(vectors: Any, k: int) -> Any:
            searches.append(k)
            return search(vectors, k)

        monkeypatch.setattr(opened.vectorizer, "encode", see_encode)
        monkeypatch.setattr(opened.index, "search", see_search)
        return opened

    monkeypatch.setattr(holder, "_opener", opener)
    holder.swap(second)
    assert lengths == [3, 16]  # "hi" between its control tokens; max_length
    assert searches == [20, 20]


def test_the_old_release_is_freed_and_its_lease_given_back(mine: Installed, second: Installed) -> None:
    opened = open_release(mine)
    parts = [weakref.ref(part) for part in (opened.vectorizer, opened.index, opened.cache, opened.encoder)]
    lease = opened.lease
    holder = Holder(opened)
    del opened
    with sole_use(mine.folder) as unused:
        assert not unused
    holder.swap(second)
    assert [part() for part in parts] == [None] * 4
    assert lease.closed
    with sole_use(mine.folder) as unused:
        assert unused
    with sole_use(second.folder) as unused:
        assert not unused


def test_a_damaged_release_is_refused_with_all_problems_and_the_old_one_serves(
    holder: Holder, mine: Installed, second: Installed
) -> None:
    for name in ("model/tokenizer.json", "index/replies.jsonl"):
        kind, file = name.split("/")
        path = second.bundles[kind] / file
        path.write_bytes(path.read_bytes()[:-1] + b"#")
    with pytest.raises(SwapError) as caught:
        holder.swap(second)
    assert isinstance(caught.value.__cause__, IntegrityError)
    message = str(caught.value)
    assert f"{second.release} did not take over, {mine.release} goes on serving" in message
    assert "tokenizer.json" in message
    assert "replies.jsonl" in message
    assert holder.answer(HELLO).trace.release == str(mine.release)
    status = holder.status()
    assert (status.release, status.swaps, status.failed) == (mine.release, 0, 1)


@pytest.mark.parametrize("step", ["probes", "warm-up"])
def test_what_was_loaded_of_a_release_that_fails_is_freed_while_its_error_is_kept(
    holder: Holder, second: Installed, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    loaded: list[weakref.ref[Any]] = []
    leases: list[BinaryIO] = []

    def opener(installed: Installed) -> OpenRelease:
        opened = open_release(installed)
        loaded.extend([weakref.ref(opened.vectorizer), weakref.ref(opened.index)])
        leases.append(opened.lease)
        if step == "probes":
            opened.close()  # as `open_release` does
            fail(opened)
        monkeypatch.setattr(module, "Responder", fail)
        return opened

    def divide(opened: OpenRelease) -> float:
        return 1.0 / (int(opened.index.facts["context_turns"]) - 2)

    def fail(opened: OpenRelease, **options: Any) -> None:
        try:
            divide(opened)
        except ZeroDivisionError as error:  # holds a frame of its own, and that one the release
            raise ProbeError("release", []) from error

    monkeypatch.setattr(holder, "_opener", opener)
    with pytest.raises(SwapError) as caught:
        holder.swap(second)
    assert isinstance(caught.value.__cause__, ProbeError)
    assert [part() for part in loaded] == [None, None]
    assert [lease.closed for lease in leases] == [True]


def test_a_bug_in_a_library_is_no_reason_to_stop_serving(
    holder: Holder, second: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opener(installed: Installed) -> OpenRelease:
        raise MemoryError("cannot allocate")

    monkeypatch.setattr(holder, "_opener", opener)
    with pytest.raises(SwapError, match=r"goes on serving\. MemoryError: cannot allocate"):
        holder.swap(second)
    assert holder.answer(HELLO).text is not None


def test_short_memory_is_refused_before_anything_is_opened(
    holder: Holder, second: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "available", lambda: 3 << 20)
    monkeypatch.setattr(holder, "_opener", None)
    with pytest.raises(SwapError, match=r"memory: expected 1[34]\d MB to open it beside the old one, got 3 MB"):
        holder.swap(second)
    assert holder.answer(HELLO).text is not None
    assert holder.status().failed == 1


def test_unknown_memory_is_no_refusal(holder: Holder, second: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available", lambda: None)
    assert holder.swap(second) == second.release


def test_a_swap_waits_for_requests_of_the_old_release(
    holder: Holder, mine: Installed, second: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1) as pool, a_request_that_hangs(holder, monkeypatch) as go_on:
        swapping = pool.submit(holder.swap, second)
        assert until(lambda: holder.status().release == second.release)
        assert holder.answer(HELLO).trace.release == str(second.release)
        assert (holder.status().in_flight, holder.status().draining) == (1, 1)
        assert not swapping.done()
        with sole_use(mine.folder) as unused:
            assert not unused
        go_on.set()
        assert swapping.result(SOON) == second.release
    assert holder.status().draining == 0


def test_a_swap_does_not_wait_for_ever_and_the_last_request_closes_the_old_release(
    mine: Installed, second: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = Holder(open_release(mine), patience=0.01)
    with a_request_that_hangs(holder, monkeypatch) as go_on:
        assert holder.swap(second) == second.release
        assert (holder.status().in_flight, holder.status().draining) == (1, 1)
        with sole_use(mine.folder) as unused:
            assert not unused
        go_on.set()
        assert until(lambda: holder.status().draining == 0)
    with sole_use(mine.folder) as unused:
        assert unused


def test_a_request_that_fails_gives_its_lease_back(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Responder, dialogue: Dialogue) -> Reply:
        raise RuntimeError("broken")

    monkeypatch.setattr(Responder, "answer", broken)
    with pytest.raises(RuntimeError, match="broken"):
        holder.answer(HELLO)
    assert holder.status().in_flight == 0


def test_swaps_wait_for_each_other(mine: Installed, second: Installed) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def opener(installed: Installed) -> OpenRelease:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        opened = open_release(installed)
        with lock:
            at_once -= 1
        return opened

    holder = Holder(open_release(mine), opener)
    with ThreadPoolExecutor(6) as pool:
        served = list(pool.map(holder.swap, [second, mine] * 3))
    assert served == [second.release, mine.release] * 3
    assert most == 1
    assert (holder.status().swaps, holder.status().draining) == (6, 0)


def test_mixed_answers_would_be_seen(opened: OpenRelease) -> None:
    reply = Responder(opened).answer(Dialogue((Turn("user", REPLIES[0]),)))
    name = reply.trace.release
    assert wrong_with(reply, REPLIES[0], {name: frozenset(REPLIES)}) is None
    assert "unknown release" in str(wrong_with(reply, REPLIES[0], {"another": frozenset(REPLIES)}))
    assert "another release" in str(wrong_with(reply, REPLIES[0], {name: frozenset(REPLIES[:3])}))
    assert "another model" in str(wrong_with(reply, REPLIES[1], {name: frozenset(REPLIES)}))
