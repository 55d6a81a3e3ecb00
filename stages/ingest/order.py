"""Order: the rows of each conversation as they were said, with times that never fall."""

from __future__ import annotations

import polars as pl

from stages.ingest.clocks import Arranged, arrange

#: What was done to conversations: one row a conversation and rule.
REORDERED = pl.Schema({"source": pl.String(), "rule": pl.String()})

_CONVERSATION = "conversation_id"


def in_order(messages: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Put the rows of every conversation in order.

    Args:
        messages: whole conversations, with the columns of `PLACED`, in the order of the source.

    Returns:
        The rows, with `sent_at` that never falls in a conversation and `order` that rises with it, and the table
        `REORDERED`. Conversations whose times never fall, most of them, are left as they are.
    """
    numbered = messages.lazy().with_row_index("row").with_columns(time=pl.col("sent_at").dt.epoch("ms"))
    falls = (pl.col("time") < pl.col("time").shift(1)).any().over(_CONVERSATION)
    broken = numbered.filter(falls).select("row", "source", _CONVERSATION, "sender", "file", "time").collect()
    if broken.is_empty():
        return messages, REORDERED.to_frame()
    newest_first = _newest_first(messages)
    places, times = list(range(messages.height)), messages["sent_at"].dt.epoch("ms").to_list()
    rules: list[tuple[str, str]] = []
    for conversation in broken.partition_by(_CONVERSATION, maintain_order=True):
        found = _arranged(conversation, newest_first)
        rows = conversation["row"].to_list()
        for row, place, time in zip(rows, found.places, found.times, strict=True):
            places[row], times[row] = rows[place], time
        rules += ((conversation["source"][0], rule) for rule in sorted(found.rules))
    # The numbers stay where they are, so that they rise with the new order.
    ordered = messages[places].with_columns(
        messages["order"], pl.Series("sent_at", times).cast(messages.schema["sent_at"])
    )
    return ordered, pl.DataFrame(rules, schema=REORDERED, orient="row")


def _arranged(conversation: pl.DataFrame, newest_first: set[str]) -> Arranged:
    times, senders, files = (conversation[name].to_list() for name in ("time", "sender", "file"))
    return arrange(times, senders, files, newest_first)


def _newest_first(messages: pl.DataFrame) -> set[str]:
    """Files whose senders' own times fall more often than they rise, over all conversations at hand."""
    step = pl.col("sent_at").diff().over(_CONVERSATION, "sender", "file").dt.total_milliseconds().sign()
    by_file = messages.with_columns(step=step).group_by("file").agg(pl.col("step").sum())
    return set(by_file.filter(pl.col("step") < 0)["file"])
