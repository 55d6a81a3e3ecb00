"""A release that generates is served as well as one that does not: what takes long gives way to whoever waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from rejoinder.parts import GENERATOR
from rejoinder.parts.opened import OpenRelease
from rejoinder.serving.batcher import Bounds
from tests.bundles import PHRASES
from tests.rejoinder.answer.speakers import Speaker, speaking
from tests.rejoinder.serving.apis import REPLY, SOON, until
from tests.rejoinder.serving.conftest import OpenApi
from tests.rejoinder.serving.services import SAID, OpenService, begun, in_loop

#: What the tiny release does not hold, but might.
NEW = tuple(
    f"We {verb} {what}." for verb in ("feel", "like", "love", "miss") for what in ("pizza", "home", "hello")
)


class Slow:
    """Goes on until it may not any more, the first time; notes that it has begun."""

    def __init__(self) -> None:
        self.begun, self.seconds = threading.Event(), 0.0

    def __call__(self, goes_on: Callable[[], bool]) -> None:
        """Take as long as it may."""
        start = time.monotonic()
        if not self.begun.is_set():
            self.begun.set()
            while goes_on() and time.monotonic() < start + SOON:
                time.sleep(0.005)
            self.seconds = time.monotonic() - start


def test_what_was_generated_is_counted_logged_and_traced(open_api: OpenApi, opened_whole: OpenRelease) -> None:
    api = open_api(speaking(opened_whole, Speaker(NEW)))
    said = [api.post(REPLY, {"text": text}).json() for text in PHRASES]
    sources = [
        next(c["source"] for c in reply["candidates"] if c["dropped"] is None and c["text"] == reply["text"])
        for reply in said
    ]
    assert api.figure("rejoinder_answers_total", source=GENERATOR.name) == sources.count(GENERATOR.name) > 0
    assert api.figure("rejoinder_step_seconds_count", step="generate") == len(said)
    made = [c for reply in said for c in reply["candidates"] if c["source"] == GENERATOR.name]
    assert {(c["log_probability"], c["tokens"]) for c in made} == {(-1.0 - n, 4 + n) for n in range(len(NEW))}
    logged = [c for record in api.records("answer") for c in record["candidates"]]
    assert {("tokens" in c, "log_probability" in c) for c in logged if c["source"] == GENERATOR.name} == {
        (True, True)
    }
    assert {("tokens" in c, "log_probability" in c) for c in logged if c["source"] != GENERATOR.name} == {
        (False, False)
    }


def test_it_ends_as_soon_as_somebody_waits_with_what_is_ready(
    open_service: OpenService, opened_whole: OpenRelease
) -> None:
    slow = Slow()
    speaker = Speaker(NEW, before=slow)
    service = open_service(speaking(opened_whole, speaker))

    async def asked() -> list[Any]:
        first = asyncio.ensure_future(service.reply(SAID[0]))
        await begun(slow.begun)
        return list(await asyncio.gather(first, service.reply(SAID[1])))

    made = in_loop(asked)
    assert slow.seconds < SOON / 4
    assert len(speaker.calls) == 2
    for one in made:
        sources = {candidate.source for candidate in one.value.reply.trace.candidates}
        assert {"replies", "generator"} <= sources


def test_of_a_batch_only_the_last_has_time_for_it(open_service: OpenService, opened_whole: OpenRelease) -> None:
    slow = Slow()
    speaker = Speaker(NEW, before=slow)
    service = open_service(speaking(opened_whole, speaker), bounds=Bounds(rows=8))

    async def asked() -> list[Any]:
        first = asyncio.ensure_future(service.reply(SAID[0]))
        await begun(slow.begun)
        with service._batcher._changed:  # nobody looks before all are there
            others = [asyncio.ensure_future(service.reply(dialogue)) for dialogue in SAID[1:5]]
            await asyncio.sleep(0.05)
        return await asyncio.gather(first, *others)

    assert len(in_loop(asked)) == 5
    assert [call.turns[-1] for call in speaker.calls] == [SAID[0].turns[-1].text, SAID[4].turns[-1].text]


def test_the_pace_of_the_queue_is_that_without_it(open_service: OpenService, opened_whole: OpenRelease) -> None:
    service = open_service(speaking(opened_whole, Speaker(NEW, before=lambda goes_on: time.sleep(0.4))))
    for dialogue in SAID[:3]:
        in_loop(lambda dialogue=dialogue: service.reply(dialogue))  # type: ignore[misc]
    assert until(lambda: service._batcher._row_s > 0)
    assert service._batcher._row_s < 0.2


@pytest.mark.parametrize(("deadline_s", "is_asked"), [(0.3, False), (2.0, True)])
def test_it_keeps_to_the_deadline_the_queue_counted(
    open_service: OpenService, opened_whole: OpenRelease, deadline_s: float, is_asked: bool
) -> None:
    speaker = Speaker(NEW, before=Slow())
    service = open_service(speaking(opened_whole, speaker), deadline_s=deadline_s)
    start = time.monotonic()
    made = in_loop(lambda: service.reply(SAID[0]))
    assert time.monotonic() - start < deadline_s
    assert bool(speaker.calls) is is_asked
    assert made.value.reply.trace.fallback == ""
    assert "rank" in [step.name for step in made.value.reply.trace.steps]
