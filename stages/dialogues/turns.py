"""Messages of a dialogue -> turns: spam is folded, and what one sender says in a row becomes one turn."""

from __future__ import annotations

import polars as pl

from stages.dialogues.gaps import CONVERSATION


def number_turns(messages: pl.DataFrame) -> pl.DataFrame:
    """Add `turn`: a number that rises whenever the conversation, the dialogue or the sender changes.

    Args:
        messages: with `dialogue`, in order.

    Returns:
        The rows with `turn`.
    """
    changed = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(name).shift(1)) for name in (*CONVERSATION, "dialogue", "sender")
    )
    return messages.with_columns(turn=changed.cast(pl.Int64).cum_sum())


def fold_repeats(messages: pl.DataFrame, spam_repeats: int) -> pl.DataFrame:
    """Fold messages that say the same again into the first of them.

    Within a turn, neighbours of one canonical form are one message; so are those further apart, if the turn says
    it at least `spam_repeats` times. Over a whole conversation nothing is folded: there "yeah" and "haha" come as
    often as keyboard spam does.

    Args:
        messages: with `turn` and `key` (the canonical form), in order.
        spam_repeats: times.

    Returns:
        The messages left, with `repeats` (how many were folded into each) and the last reaction among them.
    """
    again = (pl.col("key") == pl.col("key").shift(1)) & (pl.col("turn") == pl.col("turn").shift(1))
    numbered = messages.with_columns(run=(~again.fill_null(False)).cast(pl.Int64).cum_sum())
    spam = pl.len().over("turn", "key") >= spam_repeats
    fold = pl.when(spam).then(pl.col("run").first().over("turn", "key")).otherwise("run")
    folded = numbered.with_columns(run=fold).with_columns(
        repeats=pl.len().over("run") - 1, reaction=pl.col("reaction").drop_nulls().last().over("run")
    )
    return folded.filter(pl.col("run").is_first_distinct()).drop("run")


def merge_turns(messages: pl.DataFrame) -> pl.DataFrame:
    """Merge the messages of each turn.

    Args:
        messages: with `turn`, `dialogue`, `split`, `key`, `repeats` and `back`, in order.

    Returns:
        One row a turn, in order: source, conversation_id, dialogue, split, sender, role, message_id (of its first
        message), message_ids (of all, on lines of their own), started_at, text (messages on lines of their own),
        key (its canonical form), first (that of its first message), reaction, messages (how many were merged),
        repeats (how many were folded), back. Of several reactions the last counts: whoever gave it had read the
        most of the turn.
    """
    merged = messages.group_by("turn", maintain_order=True).agg(
        pl.col(*CONVERSATION, "dialogue", "split", "sender", "role", "back", "message_id").first(),
        pl.col("reaction").drop_nulls().last(),
        pl.col("repeats").sum(),
        message_ids=pl.col("message_id").str.join("\n"),
        started_at=pl.col("sent_at").first(),
        text=pl.col("text").str.join("\n"),
        # The canonical form of joined lines is that of the lines, joined: no line sees the next.
        key=pl.col("key").str.join(" "),
        first=pl.col("key").first(),
        messages=pl.len(),
    )
    return merged.drop("turn")
