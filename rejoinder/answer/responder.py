"""Responder: runs the steps of an answer and traces them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from rejoinder.answer.choose import choose
from rejoinder.answer.filters import drop_unfit
from rejoinder.answer.remark import remark
from rejoinder.answer.reply import Reply, StepTrace, Trace
from rejoinder.answer.retrieve import encode, retrieve
from rejoinder.answer.state import State, Step
from rejoinder.dialogue import Dialogue
from rejoinder.errors import InputError
from rejoinder.parts.cached import dearest
from rejoinder.parts.opened import OpenRelease

#: How an answer is made, in this order.
STEPS: tuple[Step, ...] = (
    Step("encode", encode),
    Step("retrieve", retrieve),
    Step("remark", remark),
    Step("filter", drop_unfit),
    Step("choose", choose),
)


class Responder:
    """Answers with one open release. Safe to share between threads."""

    def __init__(self, opened: OpenRelease, steps: Sequence[Step] | None = None) -> None:
        """Take over a release.

        Args:
            opened: proved and loaded.
            steps: how it answers; by default `STEPS`.
        """
        self._opened = opened
        self._steps = tuple(STEPS if steps is None else steps)

    def answer(self, dialogue: Dialogue) -> Reply:
        """Answer the last turn of a dialogue.

        Args:
            dialogue: oldest turn first.

        Returns:
            The reply and its trace.

        Raises:
            InputError: if there is no turn to answer.
        """
        if not dialogue.turns:
            raise InputError("nothing to answer: expected at least one turn, got none")
        state = State(self._opened, dialogue)
        traces = []
        for step in self._steps:
            state, trace = _timed(step, state)
            traces.append(trace)
        source, release = dearest(state.sources), str(self._opened.release)
        return Reply(state.text, Trace(release, source, state.sources, state.candidates, tuple(traces)))


def _timed(step: Step, before: State) -> tuple[State, StepTrace]:
    start = time.perf_counter()
    after = step.run(before)
    milliseconds = 1000 * (time.perf_counter() - start)
    given = left = _fates(before)
    if after.candidates is not before.candidates:
        left = _fates(after)
    dropped = {why: left[why] - given[why] for why in left if why is not None and left[why] > given[why]}
    return after, StepTrace(step.name, milliseconds, given[None], left[None], dropped)


def _fates(state: State) -> Counter[str | None]:
    """How many candidates were dropped for each reason; None: how many were not."""
    return Counter([candidate.dropped for candidate in state.candidates])
