"""Replies: where an app says which message one answers, the turn of that message ends the context.

In a group several talks run through each other, and the turn just before an answer is often none of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from stages.dialogues.gaps import CONVERSATION

#: Turns that a reply may reach back.
REACH = 50


def add_answered(messages: pl.DataFrame) -> pl.DataFrame:
    """Add `back`: how many turns before its own the one stands that a turn says to answer.

    Args:
        messages: with `turn`, in order; spam not yet folded, since anything can be answered.

    Returns:
        The rows with `back`, one number a turn: of its first message that says so; null where none does, or names
        a message that is not there, not earlier, or further back than `REACH`.
    """
    key = (*CONVERSATION, "reply_to")
    known = messages.select(*CONVERSATION, reply_to="message_id", answered="turn").unique(key, keep="first")
    replying = messages.filter(pl.col("reply_to").is_not_null()).select(*key, "turn")
    steps = replying.join(known, on=key, maintain_order="left").with_columns(
        back=pl.col("turn").cast(pl.Int64) - pl.col("answered")
    )
    first = steps.filter(pl.col("back").is_between(1, REACH)).unique("turn", keep="first", maintain_order=True)
    return messages.join(first.select("turn", "back"), on="turn", how="left", maintain_order="left")


def follow_replies(turns: pl.DataFrame, contexts: Iterable[tuple[str, str]], context_turns: int) -> pl.DataFrame:
    """Let the context of a turn end with the one that it says to answer.

    Args:
        turns: with `back`, `place` (in its dialogue) and contexts, in order.
        contexts: names of columns, and of the lists of their values in the turns before.
        context_turns: most turns of context.

    Returns:
        The turns. A context is left as it is where the turn answers nothing, its own sender, or another dialogue.
    """
    at = (pl.int_range(pl.len()) - pl.col("back")).fill_null(0).clip(0)
    answers = (
        (pl.col("back") > 1)
        & (pl.col("back") <= pl.col("place"))
        & (pl.col("sender").gather(at) != pl.col("sender"))
    ).fill_null(False)
    return turns.with_columns(
        pl.when(answers)
        .then(pl.concat_list(pl.col(listed).gather(at), pl.col(column).gather(at)).list.tail(context_turns))
        .otherwise(listed)
        .alias(listed)
        for column, listed in contexts
    )
