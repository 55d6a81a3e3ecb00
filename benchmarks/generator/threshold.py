"""Threshold: what asking the generator more or less often costs, and how often it changes the answer.

Turns that open test dialogues, and test dialogues in their midst, each answered with the generator off and always,
by a release that knows their vectors. What `below` would do at a threshold follows from both: it is asked where the
best that was retrieved scores less. Whether a changed answer is a better one only people can tell
(`benchmarks.generator.judgement`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from benchmarks.generator.setting import Setting
from benchmarks.parts import Figures, Part
from benchmarks.report import table
from benchmarks.serving.figures import percentile
from rejoinder.answer.reply import Reply
from rejoinder.parts.generator_facts import ALWAYS, OFF

if TYPE_CHECKING:
    from rejoinder.answer.responder import Responder
    from rejoinder.dialogue import Dialogue

#: Scores are inner products of unit vectors; the shares of turns that they leave stand in the table.
_THRESHOLDS = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, inf)
_ALONE, _MIDST, _SEED = 200, 200, 23


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn, answered in both ways.

    Attributes:
        best: score of the best that was retrieved and may be said; -inf if there is nothing.
        off: seconds without the generator.
        always: seconds with it.
        is_asked: whether it then worked: nothing surer came first.
        is_said: whether what it said was the answer.
    """

    best: float
    off: float
    always: float
    is_asked: bool
    is_said: bool


def measure(setting: Setting) -> Figures:
    """Answer everything twice."""
    from benchmarks.generator.judgement import midst
    from benchmarks.generator.switched import asked_and_said, responder
    from benchmarks.judge import opening_turns
    from rejoinder.dialogue import Dialogue
    from rejoinder.progress import track

    alone = [[turn] for turn in opening_turns(setting.pairs, setting.pick(_ALONE, 4), _SEED)]
    asked = alone + midst(setting.pairs, setting.pick(_MIDST, 4), _SEED)
    with setting.release() as opened:
        off, always = (responder(opened, when) for when in (OFF, ALWAYS))
        always.answer(Dialogue.from_lines(["hello there"]))
        found = []
        for turns in track(asked, "threshold: off and always", "dialogue"):
            dialogue = Dialogue.from_lines(turns)
            off.answer(dialogue)  # now its vectors are known, to whoever comes first and to whoever comes second
            (without, took), (made, more) = (_timed(way, dialogue) for way in (off, always))
            found.append(Turn(best_retrieved(without), took, more, *asked_and_said(made)))
    usual = opened.generator.below if opened.generator else None
    return {"turns": [asdict(turn) for turn in found], "alone": len(alone), "usual": usual}


def _timed(way: Responder, dialogue: Dialogue) -> tuple[Reply, float]:
    begun = time.perf_counter()
    reply = way.answer(dialogue)
    return reply, time.perf_counter() - begun


def best_retrieved(reply: Reply) -> float:
    """Score of the best candidate that people said and that may be said.

    Args:
        reply: an answer without the generator.

    Returns:
        It; -inf if there is none.
    """
    return max((c.score for c in reply.trace.candidates if c.is_free and c.dropped is None), default=-inf)


def row(turns: Sequence[Turn], threshold: float) -> list[str]:
    """What `below` would do at a threshold.

    Args:
        turns: answered in both ways.
        threshold: below it the generator is asked.

    Returns:
        Cells: shares of turns that it is asked for and said in; milliseconds, their mean, median and 95th centile.
    """
    asked = [turn.is_asked and turn.best < threshold for turn in turns]
    wall = [turn.always if is_asked else turn.off for turn, is_asked in zip(turns, asked, strict=True)]
    said = sum(turn.is_said for turn, is_asked in zip(turns, asked, strict=True) if is_asked)
    spent = sum(wall) / len(wall), percentile(wall, 0.5), percentile(wall, 0.95)
    return [f"{sum(asked) / len(turns):.1%}", f"{said / len(turns):.1%}", *(f"{1000 * s:.0f}" for s in spent)]


def report(figures: Mapping[str, Any]) -> str:
    """A row a threshold; turns that open talks and talks in their midst apart."""
    turns = [Turn(**turn) for turn in figures["turns"]]
    parts = {"turns that open talks": turns[: figures["alone"]], "in the midst of talks": turns[figures["alone"] :]}
    thresholds = sorted({*_THRESHOLDS, *([] if figures["usual"] is None else [figures["usual"]])})
    head = ["asked below", "asked for", "said in", "ms, mean", "median", "95 of 100 below"]
    shown = []
    for name, of in parts.items():
        if of:
            rows = [[f"{t:g}" if t < inf else "always", *row(of, t)] for t in (-inf, *thresholds)]
            rows[0][0] = "never"
            shown += [f"{len(of)} {name}:\n", table(head, rows)]
    return "\n".join(shown)


PART = Part("threshold", "When to ask", measure, report, __doc__ or "")
