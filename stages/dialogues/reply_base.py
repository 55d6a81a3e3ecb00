"""Who said what: phrases are what several people have said; candidates of the reply base, what many could have.

A reply need not have been said twice word for word, or hardly more than "ok" is left: every word of it, every pair
and every triple of neighbours must have been used by many people. What it *means*, the stage `base` looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from stages.common.text_keys import words_of
from stages.dialogues.ngrams import fewest_users

#: What anonymisation leaves behind (docs/data-format.md), in its canonical form.
SLOT = r"<[a-z_]+_[0-9]+>"
KS = (1, 2, 3, 5, 10, 20)
#: Single words that do work in a dialogue; reviewed.
SINGLE_WORDS = (
    "absolutely", "agreed", "congratulations", "congrats", "cheers", "definitely", "exactly", "goodnight", "indeed",
    "likewise", "ouch", "sorry", "sure", "thanks", "welcome", "wonderful", "wow", "yikes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """What a message must be to become a candidate of the reply base.

    Attributes:
        users: of its words, of pairs and of triples of neighbouring words: the least number of people that have
            used the rarest one.
        least_words: fewer are too few, but for `SINGLE_WORDS`.
        most_words: more are too many.
    """

    users: tuple[int, ...]
    least_words: int
    most_words: int


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


def judged(counted: pl.DataFrame, said: pl.DataFrame, rule: ReplyRule) -> pl.DataFrame:
    """Add to the faults of texts those of candidates.

    Args:
        counted: as from `count_said`.
        said: the messages counted; columns sender and key.
        rule: what they must be.

    Returns:
        The same rows; `fault` may also be `words` (too few or many) or `rare` (an n-gram of few people).
    """
    words = words_of(pl.col("key"))
    count = pl.when(words == "").then(0).otherwise(words.str.count_matches(" ") + 1)
    fits = (count >= rule.least_words) & (count <= rule.most_words) | words.is_in(SINGLE_WORDS)
    rare = pl.lit(False)
    for n, least in enumerate(rule.users, 1):
        counted = counted.with_columns(fewest_users(counted, said, n).alias(f"users_{n}"))
        rare |= pl.col(f"users_{n}").fill_null(least) < least
    fault = (
        pl.when(pl.col("fault").is_not_null()).then(pl.col("fault"))
        .when(~fits).then(pl.lit("words"))
        .when(rare).then(pl.lit("rare"))
    )  # fmt: skip
    return counted.with_columns(fault=fault).drop(f"users_{n}" for n in range(1, len(rule.users) + 1))


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
        replies: candidates of the reply base: said in training conversations, on one line; as from `vetted`.
        phrases: of the cache: said before the later slice; as from `vetted`.
        traffic: the messages of the later slice: key, count.
        replies_counted: all such texts, as from `judged`.
        phrases_counted: all texts before the later slice.
    """

    replies: pl.DataFrame
    phrases: pl.DataFrame
    traffic: pl.DataFrame
    replies_counted: pl.DataFrame
    phrases_counted: pl.DataFrame


def build_reply_base(said: pl.DataFrame, cut: datetime, *, k: int, max_chars: int, rule: ReplyRule) -> ReplyBase:
    """Choose what may be offered.

    Args:
        said: messages with `key` and `split`.
        cut: phrases are counted up to this time, their traffic after it.
        k: different senders of a phrase.
        max_chars: longest text, characters.
        rule: what candidates of the reply base must be.

    Returns:
        Candidates, phrases, later traffic, and all counts.
    """
    early = said.filter(pl.col("sent_at") <= cut)
    late = said.filter(pl.col("sent_at") > cut)
    training = said.filter(pl.col("split") == "train", ~pl.col("text").str.contains("\n", literal=True))
    phrases = count_said(early, max_chars)
    replies = judged(count_said(training, max_chars), training, rule)
    return ReplyBase(
        replies=vetted(replies, training, 1),
        phrases=vetted(phrases, early, k),
        traffic=late.group_by("key").agg(count=pl.len()).sort("count", "key"),
        replies_counted=replies,
        phrases_counted=phrases,
    )
