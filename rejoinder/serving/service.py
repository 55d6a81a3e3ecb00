"""Service: what the endpoints ask of the release that serves; what is asked at once is answered in batches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from rejoinder.answer.annotate import annotate_all
from rejoinder.answer.asked import Asked
from rejoinder.answer.generate import GENERATE
from rejoinder.answer.rank import relevance
from rejoinder.answer.reply import Reply
from rejoinder.dialogue import Dialogue
from rejoinder.errors import QueueFullError, RejoinderError, TooLateError
from rejoinder.parts.arrays import Vectors
from rejoinder.release.document import Release
from rejoinder.serving.batcher import Batcher, Bounds, Job
from rejoinder.serving.holder import Holder, Slot

T = TypeVar("T")
_PIECE = 32  # texts of an embedding request that are one job, so that no chat waits for thousands
_RETRY_S = 0.05
_RANKED = 8  # documents that count for a row


@dataclass(frozen=True, slots=True)
class Made(Generic[T]):
    """What was made, and by which release.

    Attributes:
        release: made it, all of it.
        value: it.
        waited_s: seconds in the queue.
    """

    release: Release
    value: T
    waited_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, and what else might have been said.

    Attributes:
        reply: with its trace.
        texts: the reply and the next best ones, as many as were asked for and are there; none if none was fit.
        tokens: of each of them.
        prompt_tokens: of the turns that were read.
    """

    reply: Reply
    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    prompt_tokens: int


class Service:
    """Answers, vectors, relevance and annotations, by whichever release serves. For one event loop."""

    def __init__(
        self,
        holder: Holder,
        threads: int = 1,
        bounds: Bounds | None = None,
        *,
        deadline_s: float = 1.0,
        long_deadline_s: float = 60.0,
        on_batch: Callable[[int], None] = lambda rows: None,
    ) -> None:
        """Start the threads that answer.

        Args:
            holder: of the release that serves; its own options should have no deadline.
            threads: that answer at once.
            bounds: of the queue.
            deadline_s: seconds for a reply, the queue counted.
            long_deadline_s: seconds for everything else.
            on_batch: told the rows of each batch.
        """
        self.holder, self._deadline_s, self._long_s, self._on_batch = holder, deadline_s, long_deadline_s, on_batch
        self._batcher = Batcher(self._run, threads, bounds)

    @property
    def waiting(self) -> int:
        """Rows that wait."""
        return self._batcher.waiting

    @property
    def dim(self) -> int:
        """Length of a vector of the release that serves."""
        with self.holder.lease() as slot:
            return slot.opened.vectorizer.dim

    async def reply(
        self, dialogue: Dialogue, asked: Asked | None = None, n: int = 1, slot: Slot | None = None
    ) -> Made[Answer]:
        """Answer the last turn of a dialogue; what is not ready in time is left out.

        Args:
            dialogue: oldest turn first.
            asked: what the caller wants besides.
            n: most replies.
            slot: the release that answers; by default the one that serves.

        Returns:
            The reply, and those that might be said in its place.

        Raises:
            QueueFullError: if too much is waiting.
        """
        wish = asked or Asked()

        def work(slot: Slot, job: Job[Any]) -> Answer:
            reply = slot.responder.answer(dialogue, asked=self._asked(wish, job))
            steps = reply.trace.steps
            job.spared_s = sum(step.milliseconds for step in steps if step.name == GENERATE) / 1000
            texts = best(reply, n)
            # Of what was read: to count a megabyte of former turns takes longer than an answer.
            counts = slot.opened.vectorizer.lengths([*texts, *slot.responder.texts_read(dialogue)])
            return Answer(reply, texts, tuple(counts[: len(texts)]), sum(counts[len(texts) :]))

        def texts(slot: Slot) -> list[str]:
            return slot.responder.texts_read(dialogue)

        return await self._ask(texts, work, seconds=self._deadline_s, slot=slot, is_due=True)

    async def vectors(self, texts: Sequence[str]) -> Made[Vectors]:
        """Encode texts, all by one release.

        Args:
            texts: n of them.

        Returns:
            float32 [n, dim], rows of unit length.

        Raises:
            QueueFullError: if too much is waiting.
            TooLateError: if time was up.
        """
        until = time.monotonic() + self._long_s
        with self.holder.lease() as slot:
            pieces = [await self._piece(texts[n : n + _PIECE], until, slot) for n in range(0, len(texts), _PIECE)]
        return replace(pieces[0], value=np.concatenate([piece.value for piece in pieces]))

    async def relevance(self, dialogue: Dialogue, documents: Sequence[str]) -> Made[npt.NDArray[np.float64]]:
        """Tell how likely each of some texts is the reply, if one of them is.

        Args:
            dialogue: oldest turn first.
            documents: n texts.

        Returns:
            float64 [n], which sum to 1: calibrated on validation dialogues, as the release's temperature says.

        Raises:
            InputError: if the release has no ranker.
            QueueFullError: if too much is waiting.
            TooLateError: if time was up.
        """

        def work(slot: Slot, job: Job[Any]) -> npt.NDArray[np.float64]:
            return relevance(slot.opened, dialogue, documents)

        def texts(slot: Slot) -> list[str]:
            return [*slot.responder.texts_read(dialogue), *documents]

        return await self._ask(texts, work, seconds=self._long_s, rows=-(-len(documents) // _RANKED))

    async def annotations(self, texts: Sequence[str]) -> Made[list[dict[str, dict[str, float]]]]:
        """Annotate texts, each a turn of its own.

        Args:
            texts: n of them.

        Returns:
            n times, by annotator: the probability of each label.

        Raises:
            InputError: if the release has no annotators.
            QueueFullError: if too much is waiting.
            TooLateError: if time was up.
        """

        def work(slot: Slot, job: Job[Any]) -> list[dict[str, dict[str, float]]]:
            return annotate_all(slot.opened, texts)

        return await self._ask(lambda slot: texts, work, seconds=self._long_s, rows=len(texts))

    async def lengths(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of texts, without control tokens, by the vectorizer that serves."""

        def count() -> list[int]:
            with self.holder.lease() as slot:
                return slot.opened.vectorizer.lengths(texts)

        return await asyncio.to_thread(count)  # a megabyte takes seconds, in which the loop would answer nobody

    def close(self) -> None:
        """Answer what is waiting, and end the threads."""
        self._batcher.close()

    def _asked(self, wish: Asked, job: Job[Any]) -> Asked:
        """A wish with what becomes of it: nothing is generated, or no longer, while others wait for the thread.

        So a burst is answered of what is retrieved, as fast as by a release without a generator.
        """

        def is_alone() -> bool:
            return not job.behind and not self._batcher.waiting

        return replace(wish, is_wanted=job.is_wanted, until=job.until, may_linger=is_alone)

    async def _piece(self, texts: Sequence[str], until: float, slot: Slot) -> Made[Vectors]:
        def work(slot: Slot, job: Job[Any]) -> Vectors:
            return slot.opened.encoder.encode(texts).vectors

        while True:
            left = until - time.monotonic()
            try:
                return await self._ask(lambda slot: texts, work, seconds=left, rows=len(texts), slot=slot)
            except QueueFullError:
                if left > self._long_s - _RETRY_S:  # nothing is done yet: say so at once
                    raise
                await asyncio.sleep(_RETRY_S)

    async def _ask(
        self,
        texts: Callable[[Slot], Sequence[str]],
        work: Callable[[Slot, Job[Any]], T],
        *,
        seconds: float,
        rows: int = 1,
        slot: Slot | None = None,
        is_due: bool = False,
    ) -> Made[T]:
        """Have something made by the release that serves now, or by another that is still open."""
        using = self.holder.take(slot)

        def made(job: Job[Made[T]]) -> Made[T]:
            if is_due or job.is_wanted():
                return Made(using.opened.release, work(using, job), job.waited_s)
            raise TooLateError("the request: expected an answer in time, got none. Next: ask again, or for less")

        job = Job(using, lambda: texts(using), made, rows, time.monotonic() + seconds)
        # Not when the client leaves: a thread may be at it.
        job.answer.add_done_callback(lambda _: self.holder.put_back(using))
        try:
            return await asyncio.wrap_future(self._batcher.submit(job))
        except RejoinderError:
            job.answer.cancel()  # it may have been refused
            raise
        except asyncio.CancelledError:
            job.has_left = True
            raise

    def _run(self, jobs: Sequence[Job[Any]]) -> None:
        """Encode what all jobs of a batch need at once, then answer each: it finds its vectors."""
        self._on_batch(sum(job.rows for job in jobs))
        if len(jobs) > 1:
            for slot in {id(job.using): job.using for job in jobs}.values():  # two, while one takes over
                with suppress(Exception):  # whose text it was fails again, alone
                    slot.responder.encode(
                        [text for job in jobs if job.using is slot and job.is_wanted() for text in job.texts()]
                    )
        for job in jobs:
            job.finish()


def best(reply: Reply, n: int) -> tuple[str, ...]:
    """Tell the reply and the next best ones that may be said, each once.

    Args:
        reply: with its candidates.
        n: how many at most.

    Returns:
        At most n texts; none if there is no reply.
    """
    if reply.text is None:
        return ()
    others = (candidate.text for candidate in reply.trace.candidates if candidate.dropped is None)
    return tuple(dict.fromkeys([reply.text, *others]))[:n]
