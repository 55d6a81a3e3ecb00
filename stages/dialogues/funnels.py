"""Counts that add up: what came in, what became of it, what is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from stages.common.errors import DataError
from stages.dialogues.gaps import CONVERSATION
from stages.dialogues.pairs import DROP_REASONS


@dataclass(frozen=True, slots=True)
class Funnel:
    """One level of counting.

    Attributes:
        name: what is counted.
        rows_in: how many there were.
        less: how many left, by reason.
        rows_out: how many are left.
    """

    name: str
    rows_in: int
    less: Mapping[str, int]
    rows_out: int

    def as_dict(self) -> dict[str, Any]:
        """For the card."""
        return {"in": self.rows_in, "less": dict(self.less), "out": self.rows_out}


def funnels_of(
    table: pl.DataFrame, people: pl.DataFrame, messages: pl.DataFrame, turns: pl.DataFrame, pairs: pl.DataFrame
) -> list[Funnel]:
    """Count what became of messages, turns, pairs, conversations and reactions.

    Args:
        table: all messages.
        people: without planted ones.
        messages: people's, spam folded: with `repeats`.
        turns: with `messages` and `drop_reason`.
        pairs: with `split`.

    Returns:
        The funnels, not yet checked; each end is counted on a table of its own.
    """
    canary = {"canary": len(table) - len(people)}
    folded = {"repeats": int(messages["repeats"].sum()), "merged": int((turns["messages"] - 1).sum())}
    reacted = turns.drop_nulls("reaction")
    return [
        Funnel("messages", len(table), {**canary, **folded}, len(turns)),
        Funnel("turns", len(turns), _fates(turns), len(pairs)),
        Funnel("pairs", len(pairs), {}, int(pairs["split"].is_in(("train", "validation", "test")).sum())),
        _conversations(table, people, turns, pairs),
        Funnel(
            "reactions",
            table["reaction"].count(),
            {
                "canary": table["reaction"].count() - people["reaction"].count(),
                "superseded": people["reaction"].count() - len(reacted),
                **_fates(reacted),
            },
            pairs["reaction"].count(),
        ),
    ]


def lines_by_source(people: pl.DataFrame, turns: pl.DataFrame) -> list[str]:
    """Say in one line a source what became of its messages.

    Args:
        people: all messages but planted ones.
        turns: with `drop_reason`.

    Returns:
        The lines, by source.
    """
    lines = []
    for (source,), own in sorted(people.partition_by("source", as_dict=True).items()):
        mine = turns.filter(pl.col("source") == source)
        less = [f"{count:,} {reason.replace('_', ' ')}" for reason, count in _fates(mine).items() if count]
        pairs = mine["drop_reason"].null_count()
        counts = [f"{own.height:,} messages in {mine.height:,} turns", f"{pairs:,} pairs", *less]
        lines.append(f"{source}: {', '.join(counts)}")
    return lines


def _fates(turns: pl.DataFrame) -> dict[str, int]:
    return {drop_reason: int((turns["drop_reason"] == drop_reason).sum()) for drop_reason in DROP_REASONS}


def _conversations(table: pl.DataFrame, people: pl.DataFrame, turns: pl.DataFrame, pairs: pl.DataFrame) -> Funnel:
    count = {
        name: rows.select(CONVERSATION).n_unique() for name, rows in {"table": table, "people": people}.items()
    }
    by_conversation = turns.group_by(CONVERSATION).agg(
        drop_reason=pl.when(pl.col("drop_reason").is_null().any())
        .then(None)
        .otherwise(pl.col("drop_reason").first())
    )
    less = {"canary": count["table"] - count["people"], **_fates(by_conversation)}
    less["unanswered"] = less.pop("opening")  # none of its dialogues got beyond the first turn
    return Funnel("conversations", count["table"], less, pairs.select(CONVERSATION).n_unique())


def offer_funnel(name: str, counted: pl.DataFrame, kept: pl.DataFrame, k: int = 1) -> Funnel:
    """Count why distinct texts are not offered.

    Args:
        name: of the funnel.
        counted: as from `reply_base.count_said` or `reply_base.judged`.
        kept: as from `reply_base.vetted`.
        k: different senders.

    Returns:
        The funnel over distinct texts.
    """
    less = {fault: int((counted["fault"] == fault).sum()) for fault in FAULTS}
    rare = counted.filter(pl.col("fault").is_null(), pl.col("senders") < k)
    return Funnel(name, len(counted), {**less, "few_senders": len(rare)}, len(kept))


#: What is wrong with a text that is not offered, whoever has said it.
FAULTS = ("blank", "slot", "long", "words", "rare")


def balance(funnels: Iterable[Funnel]) -> None:
    """Check that nothing was lost or made up.

    Args:
        funnels: each is checked by itself.

    Raises:
        DataError: naming every funnel with a negative count, or where what came in is not what left and what is
            left, together.
    """
    problems = []
    for funnel in funnels:
        counts = [funnel.rows_in, *funnel.less.values(), funnel.rows_out]
        left = sum(funnel.less.values()) + funnel.rows_out
        if min(counts) < 0 or left != funnel.rows_in:
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in funnel.less.items())
            problems.append(
                f"{funnel.name}: expected {funnel.rows_in:,} in = {reasons}, left {funnel.rows_out:,}; "
                f"got {left:,} together"
            )
    if problems:
        raise DataError("\n".join(["dialogues: counts do not add up", *problems, "next: report this, it is a bug"]))
