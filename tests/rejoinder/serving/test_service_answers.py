"""What a service makes: vectors, relevance, annotations, further replies, and counts of tokens."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import numpy as np
import pytest

from rejoinder.answer.rank import relevance
from rejoinder.dialogue import Dialogue
from rejoinder.errors import InputError
from rejoinder.parts.opened import OpenRelease
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.serving.batcher import Bounds
from tests.bundles import PHRASES
from tests.rejoinder.serving.apis import SOON
from tests.rejoinder.serving.services import SAID, OpenService, in_loop


def test_vectors_of_many_texts_are_those_of_each_and_all_of_one_release(
    open_service: OpenService, opened_whole: OpenRelease
) -> None:
    texts = [f"{text} {number}" for number, text in enumerate(PHRASES * 3)]
    made = in_loop(lambda: open_service().vectors(texts))
    assert len(texts) > 32  # several jobs
    assert made.release == opened_whole.release
    assert made.value.dtype == np.float32
    np.testing.assert_allclose(made.value, opened_whole.vectorizer.encode(texts), atol=1e-6)


def test_many_texts_take_turns_with_a_chat(open_service: OpenService) -> None:
    service, order = open_service(), []

    async def noted(name: str, asked: Coroutine[Any, Any, Any]) -> None:
        await asked
        order.append(name)

    async def asked() -> None:
        many = noted("many", service.vectors([f"hello {n}" for n in range(320)]))
        await asyncio.gather(many, noted("chat", service.reply(SAID[0])))

    in_loop(asked)
    assert order == ["chat", "many"]


def test_relevance_sums_to_one(open_service: OpenService, opened_whole: OpenRelease) -> None:
    documents = ["you love pizza", "they know rain", "hello", "i feel lonely"]
    made = in_loop(lambda: open_service().relevance(SAID[0], documents))
    assert made.value.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(made.value, relevance(opened_whole, SAID[0], documents))


def test_annotations_come_in_the_order_of_the_texts(open_service: OpenService) -> None:
    made = in_loop(lambda: open_service().annotations(["i miss rain", "you know pizza"]))
    assert [max(found["mood"], key=found["mood"].__getitem__) for found in made.value] == ["wet", "fed"]


def test_a_release_without_a_ranker_says_so(open_service: OpenService, opened: OpenRelease) -> None:
    with pytest.raises(InputError, match="expected a release with a ranker"):
        in_loop(lambda: open_service(opened).relevance(SAID[0], ["a"]))


def test_further_replies_are_fit_and_each_is_another(open_service: OpenService) -> None:
    answer = in_loop(lambda: open_service().reply(SAID[0], n=5)).value
    fit = [c.text for c in answer.reply.trace.candidates if c.dropped is None]
    assert answer.texts == tuple(fit[:5])
    assert len(set(answer.texts)) == 5
    assert answer.texts[0] == answer.reply.text
    assert len(answer.tokens) == 5


def test_tokens_are_counted_without_control_tokens(open_service: OpenService) -> None:
    answer = in_loop(lambda: open_service().reply(Dialogue.from_lines(["i love pizza", "we like", "hello"]))).value
    assert answer.prompt_tokens == 3 + 2 + 1
    assert in_loop(lambda: open_service().lengths(["i love pizza", "hello"])) == [3, 1]


def test_the_loop_answers_others_while_the_tokens_of_long_texts_are_counted(
    open_service: OpenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, may_count = open_service(), threading.Event()

    def lengths(self: Vectorizer, texts: Sequence[str]) -> list[int]:
        assert may_count.wait(SOON)
        return [len(texts)]

    monkeypatch.setattr(Vectorizer, "lengths", lengths)

    async def asked() -> list[int]:
        counting = asyncio.ensure_future(service.lengths(["hello"]))
        await asyncio.sleep(0.01)
        may_count.set()  # by a loop that is not blocked
        return await counting

    assert in_loop(asked) == [1]


def test_a_hundred_at_once_by_several_threads_are_all_answered(open_service: OpenService) -> None:
    service = open_service(threads=3, bounds=Bounds(rows=8, queue_rows=1000))

    async def asked() -> list[Any]:
        return await asyncio.gather(*(service.reply(SAID[n % len(SAID)]) for n in range(100)))

    started = time.monotonic()
    made = in_loop(asked)
    by_turn: dict[int, set[str | None]] = {}
    for number, one in enumerate(made):
        by_turn.setdefault(number % len(SAID), set()).add(one.value.reply.text)
    assert all(len(texts) == 1 for texts in by_turn.values())
    assert time.monotonic() - started < SOON
