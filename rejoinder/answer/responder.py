"""Responder: runs the steps of an answer and traces them; what is late is left out, and an answer always comes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from random import Random

from rejoinder.answer.annotate import annotate
from rejoinder.answer.asked import Asked
from rejoinder.answer.choose import Exploration, choose, explore, is_resort
from rejoinder.answer.filters import drop_unfit
from rejoinder.answer.generate import GENERATE, generate
from rejoinder.answer.guard import listen, veto, watch
from rejoinder.answer.limit import limit
from rejoinder.answer.rank import drop_weak, rank
from rejoinder.answer.remark import remark
from rejoinder.answer.reply import Reply, StepTrace, Trace
from rejoinder.answer.retrieve import encode, retrieve, texts_read
from rejoinder.answer.route import route
from rejoinder.answer.state import State, Step
from rejoinder.dialogue import Dialogue
from rejoinder.errors import InputError
from rejoinder.parts.cached import dearest
from rejoinder.parts.generator_facts import OFF
from rejoinder.parts.opened import OpenRelease
from rejoinder.process import usable_cores

#: How an answer is made, in this order.
STEPS: tuple[Step, ...] = (
    Step("listen", listen, is_quick=True),
    Step("encode", encode),
    Step("watch", watch),
    Step("route", route),
    Step("annotate", annotate),
    Step("retrieve", retrieve),
    Step("remark", remark),
    Step(GENERATE, generate),
    Step("filter", drop_unfit, is_quick=True),
    Step("veto", veto, is_quick=True),
    Step("limit", limit, is_quick=True),
    Step("rank", rank),
    Step("weak", drop_weak, is_quick=True),
    Step("choose", choose, is_quick=True),
)
NOTHING_FITS, TOO_LATE = "nothing_fits", "too_late"


@dataclass(frozen=True, slots=True)
class Options:
    """How a responder answers.

    Attributes:
        deadline_s: seconds after which an answer comes of what is ready; None to wait for everything.
        exploration: how the choice leaves the best candidate; never, by default.
        seed: of its draws; None for another one each time. What is generated is then the same each time, so that
            the probability of a reply is that of the choice.
        generate: when the generator is asked, one of its policies; None for what the release says.
    """

    deadline_s: float | None = None
    exploration: Exploration = field(default_factory=Exploration)
    seed: int | None = None
    generate: str | None = None


class Responder:
    """Answers with one open release. Safe to share between threads."""

    def __init__(
        self, opened: OpenRelease, steps: Sequence[Step] | None = None, options: Options | None = None
    ) -> None:
        """Take over a release.

        Args:
            opened: proved and loaded.
            steps: how it answers; by default `STEPS`.
            options: deadline and exploration; by default neither.

        Raises:
            BundleError: if a generator that the release never asks is to be asked, and cannot be.
        """
        self._opened = opened
        self._options = options or Options()
        if opened.generator is not None and self._options.generate not in (None, OFF):
            opened.generator.wake()
        self._random, self._drawing = Random(self._options.seed), threading.Lock()  # noqa: S311 (no secret)
        self._steps = tuple(STEPS if steps is None else steps)
        self._workers: ThreadPoolExecutor | None = None
        if self._options.deadline_s is not None:
            # No more than can work at once: a late one would only keep others waiting.
            self._workers = ThreadPoolExecutor(usable_cores(), "rejoinder-answer")

    def answer(self, dialogue: Dialogue, today: date | None = None, asked: Asked | None = None) -> Reply:
        """Answer the last turn of a dialogue.

        Args:
            dialogue: oldest turn first.
            today: for what is answered on some days only; by default today, where the release is at home.
            asked: what the caller wants besides; by default nothing.

        Returns:
            The reply and its trace.

        Raises:
            InputError: if there is no turn to answer.
        """
        if not dialogue.turns:
            raise InputError("nothing to answer: expected at least one turn, got none")
        intents = self._opened.intents
        day = today or (intents.today() if intents is not None else date.min)
        done: list[tuple[State, StepTrace]] = []
        start = self._start(dialogue, asked or Asked(), day)
        is_late = not self._run_in_time(start, done)
        for step in self._steps[len(done) :]:  # of a copy of what was done in time: the worker may go on
            if step.is_quick:
                done.append(self._timed(step, done[-1][0] if done else start))
        state, traces = done[-1][0], tuple(trace for _, trace in done)
        return _reply(state, traces, is_late=is_late)

    def answer_all(self, dialogues: Sequence[Dialogue], today: date | None = None) -> list[Reply]:
        """Answer many dialogues, the same as one by one, but encode what is new in batches.

        Args:
            dialogues: each oldest turn first.
            today: as for `answer`.

        Returns:
            The replies, in order.

        Raises:
            InputError: if one of them has no turn.
        """
        self.encode([text for dialogue in dialogues for text in self.texts_read(dialogue)])
        return [self.answer(dialogue, today) for dialogue in dialogues]

    def texts_read(self, dialogue: Dialogue) -> list[str]:
        """The texts of a dialogue that an answer encodes."""
        return texts_read(self._opened, dialogue)

    def encode(self, texts: Sequence[str]) -> None:
        """Encode in one batch what is not known yet, so that the answers that read it find it."""
        self._opened.encoder.encode(list(dict.fromkeys(texts)))

    def _start(self, dialogue: Dialogue, asked: Asked, day: date) -> State:
        options = self._options
        if options.deadline_s is not None:
            asked = replace(asked, until=min(asked.until, time.monotonic() + options.deadline_s))
        seed = options.seed if asked.seed is None else asked.seed
        return State(self._opened, dialogue, asked, today=day, when=options.generate, seed=seed or 0)

    def _run_in_time(self, start: State, done: list[tuple[State, StepTrace]]) -> bool:
        """Run all steps; false if the deadline came first, with what was done by then in `done`."""
        if self._workers is None:
            self._run(start, done, threading.Event())
            return len(done) == len(self._steps)
        working: list[tuple[State, StepTrace]] = []
        is_answered = threading.Event()
        future = self._workers.submit(self._run, start, working, is_answered)
        try:
            future.result(self._options.deadline_s)
        except TimeoutError:
            future.cancel()
        finally:
            is_answered.set()
        done.extend(list(working))
        return len(done) == len(self._steps)

    def _run(self, state: State, done: list[tuple[State, StepTrace]], is_answered: threading.Event) -> None:
        """Run the steps one by one, as long as anybody waits for them."""
        for step in self._steps:
            if is_answered.is_set() or not (step.is_quick or state.asked.is_wanted()):
                return
            done.append(self._timed(step, state))
            state = done[-1][0]

    def _timed(self, step: Step, before: State) -> tuple[State, StepTrace]:
        start = time.perf_counter()
        if step.run is choose:
            after = explore(before, self._options.exploration, self._draw(before.asked.seed))
        else:
            after = step.run(before)
        milliseconds = 1000 * (time.perf_counter() - start)
        if after.candidates is before.candidates:  # most steps: not worth counting
            able = sum(candidate.dropped is None for candidate in before.candidates)
            return after, StepTrace(step.name, milliseconds, able, able, {})
        given, left = _fates(before), _fates(after)
        dropped = {why: left[why] - given[why] for why in left if why is not None and left[why] > given[why]}
        return after, StepTrace(step.name, milliseconds, given[None], left[None], dropped)

    def _draw(self, seed: int | None) -> Callable[[], float]:
        if seed is not None:
            return Random(seed).random  # noqa: S311 (no secret)
        return self._draw_next

    def _draw_next(self) -> float:
        with self._drawing:
            return self._random.random()


def _reply(state: State, traces: tuple[StepTrace, ...], *, is_late: bool) -> Reply:
    release, fallback = state.release, ""
    chosen = next((c for c in state.candidates if c.dropped is None and c.text == state.text), None)
    if chosen is not None and is_resort(chosen):
        fallback = NOTHING_FITS
    if state.text is None and is_late:
        texts = release.intents.too_late() if release.intents is not None else ()
        text = texts[len(state.dialogue.turns) // 2 % len(texts)] if texts else None
        state, fallback = replace(state, text=text), TOO_LATE
    return Reply(
        state.text,
        Trace(
            release=str(release.release),
            source=dearest(state.sources),
            sources=state.sources,
            candidates=state.candidates,
            steps=traces,
            route=state.route or "free",
            probability=state.probability,
            fallback=fallback,
            annotations=state.annotations,
        ),
    )


def _fates(state: State) -> Counter[str | None]:
    """How many candidates were dropped for each reason; None: how many were not."""
    return Counter([candidate.dropped for candidate in state.candidates])
