"""Held-out replies: of the test split, from the sources that the model may learn, with up to three turns before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

#: Turns before a reply, the same for everybody who is compared.
TURNS = 3
_SLOT = r"<[A-Z_]+_[0-9]+>"


@dataclass(frozen=True, slots=True)
class Item:
    """A reply that somebody gave.

    Attributes:
        conversation: where.
        turns: before it, oldest first.
        own: of each turn, whether by who replied.
        reply: the text.
        earlier: what who replied had said among those turns.
    """

    conversation: str
    turns: tuple[str, ...]
    own: tuple[bool, ...]
    reply: str

    @property
    def earlier(self) -> list[str]:
        """Turns of who replied."""
        return [turn for turn, mine in zip(self.turns, self.own, strict=True) if mine]

    @property
    def others(self) -> list[str]:
        """Turns of who was replied to."""
        return [turn for turn, mine in zip(self.turns, self.own, strict=True) if not mine]


def read_items(pairs: Path, sources: Sequence[str], limit: int, seed: int, turns: int = TURNS) -> list[Item]:
    """Draw held-out replies; those with a slot in them are left out, since none is ever said.

    Args:
        pairs: pairs.parquet of the stage `dialogues`.
        sources: whose rows count.
        limit: how many.
        seed: of the draw.
        turns: most turns of a context.

    Returns:
        The replies, in the order of the table.
    """
    columns = ["pair_id", "conversation_id", "context", "context_own", "reply"]
    table = (
        pl.scan_parquet(pairs)
        .filter(
            pl.col("split") == "test", pl.col("source").is_in(list(sources)), ~pl.col("reply").str.contains(_SLOT)
        )
        .select(columns)
        .collect()
        .sort("pair_id")
    )
    drawn = table.with_row_index("row").sample(min(limit, len(table)), seed=seed, shuffle=True).sort("row")
    return [
        Item(conversation, tuple(context[-turns:]), tuple(own[-turns:]), reply)
        for _, _, conversation, context, own, reply in drawn.rows()
    ]
