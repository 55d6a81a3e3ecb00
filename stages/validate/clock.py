"""Times of a conversation -> which of its rows are out of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

import polars as pl


def in_time(messages: pl.DataFrame, *, earliest: datetime, latest: datetime, max_backward_s: float) -> pl.Series:
    """Find the rows that make the clock of a conversation run back.

    A conversation whose clock runs back by more than the limit loses the fewest rows that leave it running forward:
    one clock that was wrong for a moment must not cost all that was said after it.

    Args:
        messages: a messages table; the rows of a conversation in their order.
        earliest: rows before it are not judged: another rule rejects them.
        latest: the same for rows after it.
        max_backward_s: seconds that a clock may run back; merged exports do by some.

    Returns:
        One boolean a row, false where the row is out of time.
    """
    judged = (
        messages.lazy()
        .select("conversation_id", "sent_at")
        .with_row_index("position")
        .filter(pl.col("conversation_id").is_not_null(), pl.col("sent_at").is_between(earliest, latest))
    )
    behind = pl.col("sent_at").cum_max() - pl.col("sent_at") > pl.duration(milliseconds=1000 * max_backward_s)
    broken = judged.filter(behind.any().over("conversation_id")).collect()
    out: list[int] = []
    for conversation in broken.partition_by("conversation_id"):
        kept = set(longest_rising(conversation["sent_at"].dt.epoch("ms").to_list()))
        out += [place for i, place in enumerate(conversation["position"]) if i not in kept]
    flags = pl.repeat(True, messages.height, dtype=pl.Boolean(), eager=True)
    return flags.scatter(out, False).alias("in_time") if out else flags.alias("in_time")


def longest_rising(values: Sequence[int]) -> list[int]:
    """Find a longest subsequence that never falls, by patience sorting (Fredman 1975), in n log n steps.

    Args:
        values: any numbers.

    Returns:
        Positions in `values`, rising.
    """
    ends: list[int] = []  # the smallest value that ends a subsequence of each length
    places: list[int] = []  # where that value stands
    before: list[int] = []  # for each value, the position of the one before it, -1 for none
    for position, value in enumerate(values):
        length = bisect_right(ends, value)
        before.append(places[length - 1] if length else -1)
        if length == len(ends):
            ends.append(value)
            places.append(position)
        else:
            ends[length], places[length] = value, position
    found = []
    position = places[-1] if places else -1
    while position >= 0:
        found.append(position)
        position = before[position]
    return found[::-1]
