"""Replay: people's turns of test dialogues, answered by the release: how often the model runs, what a turn costs.

A dialogue grows by two turns at a time: what a person said, and what the release answers. Both enter it newly;
earlier turns are known already.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.parts.cached import COMPUTED
from rejoinder.parts.opened import OpenRelease
from rejoinder.progress import track

if TYPE_CHECKING:
    import polars as pl


@dataclass(slots=True)
class Tally:
    """Where the vectors of new turns came from, and the CPU-seconds of the answers.

    Attributes:
        person: sources of what people said.
        bot: sources of what the release had said before.
        spent: CPU-seconds of each answer, by the source of the person's turn.
    """

    person: list[str]
    bot: list[str]
    spent: dict[str, list[float]]


def replay(opened: OpenRelease, dialogues: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Let a release take part in dialogues.

    Args:
        opened: the release, freshly opened: its hot cache is empty.
        dialogues: of each, what the person says, in order.

    Returns:
        Shares and milliseconds of CPU: `needed_model` of all turns newly entering, `person_needed_model` of
        people's alone, `answer_ms` by the source of the person's turn (median), `hot_ms` of an answer given twice.
    """
    responder, tally = Responder(opened), Tally([], [], {})
    for said in track(dialogues, "benchmark: replaying", "dialogue"):
        _converse(responder, said, tally)
    new = [*tally.person, *tally.bot]
    return {
        "dialogues": len(dialogues),
        "turns": len(new),
        "needed_model": new.count(COMPUTED) / max(1, len(new)),
        "person_needed_model": tally.person.count(COMPUTED) / max(1, len(tally.person)),
        "answer_ms": {source: 1000 * float(np.median(spent)) for source, spent in sorted(tally.spent.items())},
        "hot_ms": 1000 * _hot(responder, dialogues),
    }


def _converse(responder: Responder, said: Sequence[str], tally: Tally) -> None:
    turns: list[Turn] = []
    for text in said:
        turns.append(Turn("user", text))
        start = time.process_time()
        reply = responder.answer(Dialogue(tuple(turns)))
        spent = time.process_time() - start
        sources = reply.trace.sources
        tally.person.append(sources[-1])
        tally.spent.setdefault(sources[-1], []).append(spent)
        if len(sources) > 1 and turns[-2].speaker == "bot":
            tally.bot.append(sources[-2])
        if reply.text is not None:
            turns.append(Turn("bot", reply.text))


def _hot(responder: Responder, dialogues: Sequence[Sequence[str]], rounds: int = 200) -> float:
    """CPU-seconds of an answer whose turns are all known, the median."""
    asked = [Dialogue((Turn("user", said[0]),)) for said in dialogues[:rounds]]
    spent = []
    for dialogue in asked:
        responder.answer(dialogue)
        start = time.process_time()
        responder.answer(dialogue)
        spent.append(time.process_time() - start)
    return float(np.median(spent))


def people_say(pairs: pl.DataFrame, limit: int) -> list[list[str]]:
    """What one of two people says in test dialogues, every other turn, as if the release were the other.

    Args:
        pairs: of the test split: pair_id (its last part is the place in the dialogue) and context.
        limit: dialogues wanted.

    Returns:
        Turns of each dialogue.
    """
    import polars as pl

    placed = pairs.with_columns(
        dialogue=pl.col("pair_id").str.replace(r"/\d+$", ""),
        place=pl.col("pair_id").str.extract(r"(\d+)$").cast(pl.Int64),
    )
    said = (
        placed.filter(pl.col("place") % 2 == 1)
        .sort("dialogue", "place")
        .group_by("dialogue", maintain_order=True)
        .agg(pl.col("context").list.last())
    )
    return [list(turns) for turns in said["context"].to_list()[:limit]]
