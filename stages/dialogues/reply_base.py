"""Who said what: the reply base and the phrases hold only what several different people have said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

#: What anonymisation leaves behind (docs/data-format.md), in its canonical form.
SLOT = r"<[a-z_]+_[0-9]+>"
KS = (1, 2, 3, 5, 10, 20)


def count_said(said: pl.DataFrame, max_chars: int) -> pl.DataFrame:
    """Count who said what.

    Args:
        said: messages; columns sender and key, the canonical form.
        max_chars: longest reply offered, characters.

    Returns:
        One row a distinct text: key, senders, count, and `fault`: blank, slot, long, or null if it can be offered.
    """
    counted = said.group_by("key").agg(senders=pl.col("sender").n_unique(), count=pl.len())
    key = pl.col("key")
    fault = (
        pl.when(key == "").then(pl.lit("blank"))
        .when(key.str.contains(SLOT)).then(pl.lit("slot"))
        .when(key.str.len_chars() > max_chars).then(pl.lit("long"))
    )  # fmt: skip
    return counted.with_columns(fault=fault)


def vetted(counted: pl.DataFrame, said: pl.DataFrame, k: int) -> pl.DataFrame:
    """Keep what at least k people said and can be offered.

    Args:
        counted: as from `count_said`.
        said: the messages counted; columns key and text.
        k: different senders.

    Returns:
        text (its commonest spelling), key, senders, count; commonest first.
    """
    kept = counted.filter(pl.col("fault").is_null(), pl.col("senders") >= k).drop("fault")
    spelled = said.join(kept, on="key", how="semi").group_by("key").agg(text=pl.col("text").mode().sort().first())
    joined = kept.join(spelled, on="key").sort(["count", "key"], descending=[True, False])
    return joined.select("key", "text", "senders", "count")


def k_curve(counted: pl.DataFrame, ks: tuple[int, ...] = KS) -> list[dict[str, Any]]:
    """Rows for a plot: what the reply base would hold for several k.

    Args:
        counted: as from `count_said`.
        ks: numbers of senders.

    Returns:
        k, replies (distinct), share (of all messages counted, those never offered included).
    """
    total = max(1, int(counted["count"].sum()))
    offered = counted.filter(pl.col("fault").is_null())
    kept = {k: offered.filter(pl.col("senders") >= k) for k in ks}
    return [{"k": k, "replies": len(rows), "share": int(rows["count"].sum()) / total} for k, rows in kept.items()]


def late_cut(messages: pl.DataFrame, share: float) -> datetime:
    """When the latest share of messages begins: after this time."""
    cut: datetime = messages["sent_at"].sort()[int((1 - share) * (len(messages) - 1))]
    return cut


@dataclass(frozen=True, slots=True)
class ReplyBase:
    """What people said, counted.

    Attributes:
        replies: the reply base: said in training conversations; as from `vetted`.
        phrases: of the cache: said before the later slice; as from `vetted`.
        traffic: the messages of the later slice: key, count.
        replies_counted: all texts of the training conversations, as from `count_said`.
        phrases_counted: all texts before the later slice.
    """

    replies: pl.DataFrame
    phrases: pl.DataFrame
    traffic: pl.DataFrame
    replies_counted: pl.DataFrame
    phrases_counted: pl.DataFrame


def build_reply_base(said: pl.DataFrame, cut: datetime, *, k: int, max_chars: int) -> ReplyBase:
    """Choose what may be offered.

    Args:
        said: messages with `key` and `split`.
        cut: phrases are counted up to this time, their traffic after it.
        k: different senders.
        max_chars: longest text, characters.

    Returns:
        Reply base, phrases, later traffic, and all counts.
    """
    early = said.filter(pl.col("sent_at") <= cut)
    late = said.filter(pl.col("sent_at") > cut)
    training = said.filter(pl.col("split") == "train")
    replies, phrases = count_said(training, max_chars), count_said(early, max_chars)
    return ReplyBase(
        replies=vetted(replies, training, k),
        phrases=vetted(phrases, early, k),
        traffic=late.group_by("key").agg(count=pl.len()).sort("count", "key"),
        replies_counted=replies,
        phrases_counted=phrases,
    )
