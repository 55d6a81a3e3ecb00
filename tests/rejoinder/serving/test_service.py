"""The service answers in batches, each request by one release, and nothing that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rejoinder.answer.asked import Asked
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.errors import ClosedError, InputError, QueueFullError, TooLateError
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.proof import Installed
from rejoinder.serving.batcher import Bounds
from tests.rejoinder.serving.apis import SOON, until
from tests.rejoinder.serving.conftest import Copy
from tests.rejoinder.serving.services import SAID, OpenService, begun, in_loop, slow


def test_what_is_answered_together_is_answered_as_one_by_one(
    open_service: OpenService, opened_whole: OpenRelease
) -> None:
    rows: list[int] = []
    service = open_service(on_batch=rows.append)
    alone = Responder(opened_whole)

    async def asked() -> list[Any]:
        return await asyncio.gather(*(service.reply(dialogue) for dialogue in SAID))

    for dialogue, made in zip(SAID, in_loop(asked), strict=True):
        one = alone.answer(dialogue)
        assert (made.value.reply.text, made.value.reply.trace.route) == (one.text, one.trace.route)
        mine, theirs = (
            [(c.text, c.dropped, round(c.score, 5)) for c in reply.trace.candidates]
            for reply in (made.value.reply, one)
        )
        assert mine == theirs
    assert sum(rows) == len(SAID)
    assert max(rows) > 1


def test_a_batch_is_encoded_at_once(open_service: OpenService, monkeypatch: pytest.MonkeyPatch) -> None:
    service, encoded = open_service(), []
    real = Responder.encode

    def see(self: Responder, texts: Sequence[str]) -> None:
        encoded.append(list(texts))
        real(self, texts)

    monkeypatch.setattr(Responder, "encode", see)

    async def asked() -> None:
        with slow(monkeypatch) as (started, go_on):
            first = asyncio.ensure_future(service.reply(SAID[0]))
            await begun(started)
            others = [asyncio.ensure_future(service.reply(dialogue)) for dialogue in SAID[1:4]]
            await asyncio.sleep(0)
            go_on.set()
            await asyncio.gather(first, *others)

    in_loop(asked)
    assert encoded == [[dialogue.turns[0].text for dialogue in SAID[1:4]]]


def test_one_requests_error_hurts_nobody_else_of_its_batch(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, real, faults = open_service(), Responder.texts_read, [ValueError("broken")]

    def texts_read(self: Responder, dialogue: Dialogue) -> list[str]:
        if dialogue is SAID[1] and faults:  # while the batch is encoded
            raise faults.pop()
        return real(self, dialogue)

    monkeypatch.setattr(Responder, "texts_read", texts_read)

    async def asked() -> list[Any]:
        with slow(monkeypatch) as (started, go_on):
            first = asyncio.ensure_future(service.reply(SAID[0]))
            await begun(started)
            empty = Dialogue(())  # fails when it is answered
            others = [asyncio.ensure_future(service.reply(d)) for d in (SAID[1], empty, SAID[2])]
            await asyncio.sleep(0)
            go_on.set()
            return await asyncio.gather(first, *others, return_exceptions=True)

    first, unread, empty, last = in_loop(asked)
    assert all(made.value.reply.text for made in (first, unread, last))
    assert isinstance(empty, InputError)


def test_a_full_queue_refuses_at_once_and_keeps_nothing_of_the_release(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_service(bounds=Bounds(queue_rows=1))

    async def asked() -> None:
        with slow(monkeypatch) as (started, go_on):
            taken = [asyncio.ensure_future(service.reply(SAID[0]))]
            await begun(started)
            taken.append(asyncio.ensure_future(service.reply(SAID[1])))
            await asyncio.sleep(0)
            with pytest.raises(QueueFullError):
                await service.reply(SAID[2])
            assert service.holder.status().in_flight == 2
            go_on.set()
            await asyncio.gather(*taken)

    in_loop(asked)
    assert until(lambda: service.holder.status().in_flight == 0)


def test_who_leaves_while_waiting_is_not_answered(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, answered = open_service(), []
    real = Responder.answer

    def see(self: Responder, dialogue: Dialogue, *given: Any, **more: Any) -> Any:
        answered.append(dialogue)
        return real(self, dialogue, *given, **more)

    monkeypatch.setattr(Responder, "answer", see)

    async def asked() -> None:
        with slow(monkeypatch) as (started, go_on):
            first = asyncio.ensure_future(service.reply(SAID[0]))
            await begun(started)
            leaves = asyncio.ensure_future(service.reply(SAID[1]))
            stays = asyncio.ensure_future(service.reply(SAID[2]))
            await asyncio.sleep(0)
            leaves.cancel()
            await asyncio.sleep(0)
            go_on.set()
            await asyncio.gather(first, stays)

    in_loop(asked)
    assert answered == [SAID[0], SAID[2]]
    assert until(lambda: service.holder.status().in_flight == 0)


def test_an_answer_stops_between_steps_when_its_client_leaves(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, wishes = open_service(), []
    real = Responder.answer

    def see(self: Responder, dialogue: Dialogue, asked: Asked) -> Any:
        reply = real(self, dialogue, asked=asked)
        wishes.append((asked.is_wanted(), {step.name for step in reply.trace.steps}))
        return reply

    monkeypatch.setattr(Responder, "answer", see)

    async def asked() -> None:
        with slow(monkeypatch) as (started, go_on):
            leaves = asyncio.ensure_future(service.reply(SAID[0]))
            await begun(started)
            leaves.cancel()
            await asyncio.sleep(0)
            go_on.set()

    in_loop(asked)
    assert until(lambda: len(wishes) == 1)
    is_wanted, steps = wishes[0]
    assert not is_wanted
    assert "retrieve" not in steps
    assert until(lambda: service.holder.status().in_flight == 0)


def test_what_is_not_ready_in_time_is_answered_by_words_of_last_resort(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_service(deadline_s=0.05)

    async def asked() -> tuple[Any, Any]:
        with slow(monkeypatch) as (started, go_on):
            late = [asyncio.ensure_future(service.reply(SAID[n])) for n in (0, 1)]
            await begun(started)
            await asyncio.sleep(0.06)
            go_on.set()
            return await late[0], await late[1]

    for made in in_loop(asked):
        assert made.value.reply.trace.fallback == "too_late"
        assert made.value.texts == ("They want home.",)


def test_care_is_taken_however_late_it_is(open_service: OpenService) -> None:
    service = open_service(deadline_s=0.0)
    made = in_loop(lambda: service.reply(Dialogue((Turn("user", "want hello"),))))
    assert made.value.reply.trace.route == "guard/harm"
    assert made.value.texts == ("We know. You want music.",)


def test_vectors_that_are_too_late_are_an_error(open_service: OpenService) -> None:
    service = open_service(long_deadline_s=-1.0)
    with pytest.raises(TooLateError, match=r"Next: ask again"):
        in_loop(lambda: service.vectors(["hello"]))


def test_closing_answers_what_waits_and_refuses_what_comes(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_service()

    async def asked() -> list[Any]:
        with slow(monkeypatch) as (started, go_on), ThreadPoolExecutor(1) as pool:
            waiting = [asyncio.ensure_future(service.reply(dialogue)) for dialogue in SAID[:3]]
            await begun(started)
            closing = pool.submit(service.close)
            assert await asyncio.get_running_loop().run_in_executor(
                None, until, lambda: service._batcher._is_closed
            )
            with pytest.raises(ClosedError):
                await service.reply(SAID[3])
            go_on.set()
            made = await asyncio.gather(*waiting)
            closing.result(SOON)
            return made

    assert all(made.value.reply.text for made in in_loop(asked))


def test_who_was_asked_before_a_swap_answers_and_is_freed_then(
    open_service: OpenService,
    whole: Installed,
    next_whole: Installed,
    copied: Copy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = open_release(copied(whole))
    service = open_service(old)

    async def asked() -> list[Any]:
        with slow(monkeypatch) as (started, go_on), ThreadPoolExecutor(1) as pool:
            before = [asyncio.ensure_future(service.reply(dialogue)) for dialogue in SAID[:3]]
            await begun(started)
            swapping = pool.submit(service.holder.swap, next_whole)
            swapped = lambda: service.holder.status().release.serial == 2  # noqa: E731
            assert await asyncio.get_running_loop().run_in_executor(None, until, swapped)
            after = [asyncio.ensure_future(service.reply(dialogue)) for dialogue in SAID[:3]]
            await asyncio.sleep(0)
            assert service.holder.status().draining == 1
            go_on.set()
            made = await asyncio.gather(*before, *after)
            swapping.result(SOON)
            return made

    made = in_loop(asked)
    assert [one.release.serial for one in made] == [1, 1, 1, 2, 2, 2]
    assert [one.value.reply.trace.release for one in made[:3]] == [str(whole.release)] * 3
    assert [one.value.reply.trace.release for one in made[3:]] == [str(next_whole.release)] * 3
    status = service.holder.status()
    assert (status.swaps, status.draining, status.in_flight) == (1, 0, 0)
