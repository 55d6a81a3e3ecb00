"""Deadline: what each step of an answer takes, and whether answers come in time while every core is busy.

The installed release answers turns that it has not seen, first by itself, then with a deadline beside as many busy
processes as there are cores. Every answer must come within twice the deadline.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.neighbours import neighbours
from benchmarks.report import examples, heading, out_option, publish, table
from rejoinder.answer.responder import Options, Responder
from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import OpenRelease, open_current
from rejoinder.process import configure_process, usable_cores
from rejoinder.progress import track
from rejoinder.store.store import Store

MODULE = "benchmarks.deadline"
_GUARDING = ("listen", "watch", "route", "veto")
_WARMING = 20


def unseen_dialogues(opened: OpenRelease, wanted: int) -> list[Dialogue]:
    """Dialogues of two turns that no cache holds: two replies of the base, run together and cut.

    Args:
        opened: whose base the words are of.
        wanted: how many.

    Returns:
        At most so many.
    """
    texts = [reply.text for reply in opened.index.replies]
    joined = [f"{first} {second}"[:90] for first, second in pairwise(texts)]
    return [Dialogue.from_lines(pair) for pair in list(pairwise(joined))[: wanted + _WARMING]]


def step_costs(opened: OpenRelease, dialogues: Sequence[Dialogue]) -> list[list[str]]:
    """Median and 95th percentile of each step's milliseconds, without a deadline."""
    responder = Responder(opened)
    spent: dict[str, list[float]] = {}
    guarding = []
    for number, dialogue in enumerate(track(dialogues, "deadline: steps", "dialogue")):
        steps = responder.answer(dialogue).trace.steps
        if number < _WARMING:
            continue
        for step in steps:
            spent.setdefault(step.name, []).append(step.milliseconds)
        guarding.append(sum(step.milliseconds for step in steps if step.name in _GUARDING))
    rows = [[name, *_spread(values)] for name, values in spent.items()]
    return [*rows, [f"**{' + '.join(_GUARDING)}**", *_spread(guarding)]]


def _spread(values: Sequence[float]) -> list[str]:
    return [f"{statistics.median(values):.2f}", f"{np.percentile(values, 95):.2f}"]


def in_time(opened: OpenRelease, dialogues: Sequence[Dialogue], deadline_s: float) -> dict[str, Any]:
    """Answer under a deadline while every core is busy.

    Args:
        opened: the release.
        dialogues: to answer.
        deadline_s: seconds that an answer has.

    Returns:
        `answers`, `within` twice the deadline, `slowest` in milliseconds, and how many fell back, by reason.
    """
    responder = Responder(opened, options=Options(deadline_s=deadline_s))
    spent, fallbacks, silent = [], Counter[str](), 0
    with neighbours(usable_cores()):
        for number, dialogue in enumerate(track(dialogues, "deadline: under load", "dialogue")):
            start = time.perf_counter()
            reply = responder.answer(dialogue)
            if number >= _WARMING:
                spent.append(time.perf_counter() - start)
                fallbacks[reply.trace.fallback or "in time"] += 1
                silent += reply.text is None
    within = sum(seconds <= 2 * deadline_s for seconds in spent)
    return {
        "answers": len(spent) - silent,
        "within": within,
        "median_ms": 1000 * statistics.median(spent),
        "slowest_ms": 1000 * max(spent),
        **fallbacks,
    }


@click.command(epilog=examples(MODULE, "--out build/bench/deadline.md", "--answers 200 --deadline-ms 50"))
@click.option("--answers", default=1000, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--deadline-ms", default=20.0, show_default=True, type=click.FloatRange(min=1), help="Of an answer.")
@click.option("--store", "root", type=click.Path(path_type=Path), help="Which store; default: the usual one.")
@out_option
def main(answers: int, deadline_ms: float, root: Path | None, out: Path | None) -> None:
    """Time the steps of an answer, and answers under a deadline beside busy neighbours."""
    configure_process()
    opened = open_current(Store(root) if root else Store.default())
    dialogues = unseen_dialogues(opened, 2 * answers)
    half = len(dialogues) // 2
    costs = step_costs(opened, dialogues[:half])
    found = in_time(opened, dialogues[half:], deadline_ms / 1000)
    text = heading("Steps and deadline", MODULE, ["onnxruntime"]) + f"- release: {opened.release}\n\n"
    text += table(["step", "ms, median", "ms, 95 of 100"], costs) + "\n"
    text += f"A deadline of {deadline_ms:g} ms beside {usable_cores()} busy processes:\n\n"
    text += table(["", ""], [[name.replace("_", " "), f"{value:g}"] for name, value in found.items()])
    publish(text, out)


if __name__ == "__main__":
    main()
