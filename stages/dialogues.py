"""Dialogues: messages -> turns -> dialogues -> (context, reply) pairs, reply base, phrases, candidate lists.

messages -> merge one sender's consecutive messages -> cut at long gaps -> drop near-duplicate conversations
         -> split by conversation hash -> pair every turn with the turns before it
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import Field

from rejoinder.text import normalize, words
from stages.errors import DataError
from stages.evaluation.candidates import build_candidates
from stages.output import whole_directory, write_json, write_rows
from stages.params import StageParams
from stages.table import read_messages

Split = Literal["train", "validation", "test"]
_COMMON = 50  # conversations; a turn in more of them is an opener, not a copy
SLOT = r"<[A-Z]+_[0-9]+>"  # what anonymisation leaves behind, see docs/data-format.md


class Params(StageParams):
    """How dialogues are cut, paired and split."""

    gap_percentile: float = Field(ge=50, lt=100)
    """A dialogue ends where the silence is longer than this percentile of its source's gaps."""
    min_gap_s: float = Field(ge=0)
    """Seconds; shorter silences never end a dialogue, whatever the percentile says."""
    context_turns: int = Field(ge=1, le=16)
    """Turns kept before each reply."""
    validation_share: float = Field(gt=0, lt=0.5)
    """Share of conversations for choosing checkpoints."""
    test_share: float = Field(gt=0, lt=0.5)
    """Share of conversations looked at only by the benchmark."""
    duplicate_overlap: float = Field(gt=0, le=1)
    """Conversations go that share this part of their longer turns with an earlier one (of the smaller set)."""
    min_reply_senders: int = Field(ge=1)
    """k: the reply base and the phrase list hold only what at least this many different people have said."""
    max_reply_chars: int = Field(ge=1)
    """Characters; longer replies are not offered."""
    late_share: float = Field(gt=0, lt=0.5)
    """Latest share of messages: phrases are counted before it, their coverage is measured in it."""
    test_items: int = Field(ge=10)
    """Items of the test lists."""
    validation_items: int = Field(ge=10)
    """Items of the validation lists."""
    test_pool: int = Field(ge=200)
    """Distinct replies that test items choose from ("full base")."""
    validation_pool: int = Field(ge=200)
    """Distinct replies that validation items choose from."""
    negatives: int = Field(ge=1)
    """Replies in a list beside the gold one."""
    seed: int
    """Of the split, and of the draws of items, pools and negatives."""


def merge_turns(messages: pl.DataFrame) -> pl.DataFrame:
    """Merge consecutive messages of one sender.

    Args:
        messages: a messages table, in any order.

    Returns:
        One row a turn, in order: source, conversation_id, sender, role, started_at, ended_at, text (messages on
        lines of their own), reaction (the last one given), messages (how many were merged).
    """
    ordered = messages.sort("source", "conversation_id", "sent_at", "order")
    changed = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(name).shift(1)) for name in ("source", "conversation_id", "sender")
    )
    merged = ordered.with_columns(turn=changed.cast(pl.Int64).cum_sum()).group_by("turn", maintain_order=True)
    return merged.agg(
        pl.col("source", "conversation_id", "sender", "role").first(),
        started_at=pl.col("sent_at").first(),
        ended_at=pl.col("sent_at").last(),
        text=pl.col("text").str.join("\n"),
        reaction=pl.col("reaction").drop_nulls().last(),
        messages=pl.len(),
    ).drop("turn")


def add_gaps(turns: pl.DataFrame) -> pl.DataFrame:
    """Add `gap_s`: seconds of silence before a turn; null for the first of a conversation."""
    gap = pl.col("started_at") - pl.col("ended_at").shift(1).over("source", "conversation_id")
    return turns.with_columns(gap_s=gap.dt.total_milliseconds() / 1000)


def gap_thresholds(turns: pl.DataFrame, params: Params) -> pl.DataFrame:
    """Longest silence inside a dialogue, by source: the percentile, but at least the floor.

    Args:
        turns: with `gap_s`.
        params: percentile and floor.

    Returns:
        source, percentile_s, threshold_s.
    """
    percentile = pl.col("gap_s").quantile(params.gap_percentile / 100, "linear").fill_null(params.min_gap_s)
    by_source = turns.group_by("source", maintain_order=True).agg(percentile_s=percentile)
    return by_source.with_columns(threshold_s=pl.max_horizontal("percentile_s", pl.lit(params.min_gap_s)))


def cut_dialogues(turns: pl.DataFrame, thresholds: pl.DataFrame) -> pl.DataFrame:
    """Add `dialogue`: its number within the conversation, one more after each gap above the threshold."""
    joined = turns.join(thresholds.select("source", "threshold_s"), on="source", maintain_order="left")
    cut = (pl.col("gap_s") > pl.col("threshold_s")).fill_null(False).cast(pl.Int64)
    number = cut.cum_sum().over("source", "conversation_id")
    return joined.with_columns(dialogue=number).drop("threshold_s")


def near_duplicates(turns: pl.DataFrame, overlap: float) -> set[str]:
    """Conversations that repeat an earlier one.

    Two conversations are compared by the sets of their turns of at least four words; the later one (by id) is a
    duplicate if they share at least `overlap` of the smaller set. Exact but for turns that many conversations
    share, such as openers: those tell nothing and would make the number of pairs quadratic.

    Args:
        turns: all turns.
        overlap: share of the smaller set.

    Returns:
        Ids of the conversations to drop.
    """
    keyed = turns.select("conversation_id", key=pl.col("text").map_elements(_long_key, return_dtype=pl.String))
    sets = keyed.drop_nulls().unique().filter(pl.len().over("key") <= _COMMON)
    sizes = sets.group_by("conversation_id").agg(size=pl.len())
    pairs = sets.join(sets, on="key", suffix="_earlier").filter(
        pl.col("conversation_id_earlier") < pl.col("conversation_id")
    )
    shared = pairs.group_by("conversation_id", "conversation_id_earlier").agg(shared=pl.len())
    earlier = sizes.rename({"conversation_id": "conversation_id_earlier", "size": "size_earlier"})
    sized = shared.join(sizes, on="conversation_id").join(earlier, on="conversation_id_earlier")
    repeated = sized.filter(pl.col("shared") >= overlap * pl.min_horizontal("size", "size_earlier"))
    # One long turn in common is chance, not a copy.
    return set(repeated.filter(pl.col("shared") >= 2)["conversation_id"])


def _long_key(text: str) -> str | None:
    found = words(text)
    return " ".join(found) if len(found) >= 4 else None


def split_of(conversation_id: str, params: Params) -> Split:
    """Assign a conversation to a split by its hash: stable under added data, whatever the order."""
    digest = hashlib.blake2b(conversation_id.encode(), digest_size=8, key=str(params.seed).encode()).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < params.test_share:
        return "test"
    return "validation" if place < params.test_share + params.validation_share else "train"


def make_pairs(turns: pl.DataFrame, context_turns: int) -> pl.DataFrame:
    """Pair every turn but a dialogue's first with the turns before it.

    Args:
        turns: with `dialogue` and `split`, in order.
        context_turns: most turns of context.

    Returns:
        pair_id, source, conversation_id, split, sender, started_at, context (list, oldest first), reply, reaction.
    """
    group = ("source", "conversation_id", "dialogue")
    shifts = [pl.col("text").shift(n).over(group) for n in range(context_turns, 0, -1)]
    paired = turns.with_columns(
        place=pl.int_range(pl.len()).over(group), context=pl.concat_list(shifts).list.drop_nulls()
    ).filter(pl.col("place") > 0)
    pair_id = pl.format("{}/{}/{}", "conversation_id", "dialogue", "place")
    return paired.select(
        "source", "conversation_id", "split", "sender", "started_at", "context", "reaction",
        pair_id=pair_id, reply="text",
    )  # fmt: skip


def count_said(said: pl.DataFrame, params: Params) -> pl.DataFrame:
    """Count who said what, and keep what at least k people said, without slots and not too long.

    Args:
        said: messages; columns sender and text.
        params: k and the length limit.

    Returns:
        text (its commonest spelling), key (its canonical form), senders, count; commonest first.
    """
    keyed = said.with_columns(key=pl.col("text").map_elements(normalize, return_dtype=pl.String))
    fit = keyed.filter(
        pl.col("key").str.len_chars().is_between(1, params.max_reply_chars), ~pl.col("text").str.contains(SLOT)
    )
    counted = fit.group_by("key").agg(
        text=pl.col("text").mode().sort().first(), senders=pl.col("sender").n_unique(), count=pl.len()
    )
    vetted = counted.filter(pl.col("senders") >= params.min_reply_senders)
    return vetted.sort(["count", "key"], descending=[True, False])


def late_cut(messages: pl.DataFrame, params: Params) -> datetime:
    """When the later slice begins: after this time."""
    cut: datetime = messages["sent_at"].sort()[int((1 - params.late_share) * (len(messages) - 1))]
    return cut


def phrase_tables(messages: pl.DataFrame, params: Params) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Phrases for the cache, and the later traffic on which their coverage is measured.

    Args:
        messages: all messages.
        params: where the later slice begins, k and the length limit.

    Returns:
        Vetted phrases of the earlier slice as from `count_said`; key and count of the later slice's messages.
    """
    cut = late_cut(messages, params)
    early, late = messages.filter(pl.col("sent_at") <= cut), messages.filter(pl.col("sent_at") > cut)
    keys = late.select(key=pl.col("text").map_elements(normalize, return_dtype=pl.String))
    return count_said(early, params), keys.group_by("key").agg(count=pl.len()).sort(["count", "key"])


def gap_histogram(turns: pl.DataFrame, thresholds: pl.DataFrame) -> list[dict[str, object]]:
    """Rows for a plot: silences inside conversations by power-of-two seconds, and each source's threshold."""
    edge = (2.0 ** pl.col("gap_s").clip(1).log(2).floor()).cast(pl.Int64)
    counted = turns.drop_nulls("gap_s").group_by("source", gap_s=edge).agg(turns=pl.len())
    return counted.join(thresholds, on="source").sort("source", "gap_s").to_dicts()


def run(params: Params, *, messages: Path, out: Path) -> None:
    """Assemble dialogues.

    Args:
        params: section `dialogues`.
        messages: a validated messages table.
        out: directory to make: pairs, replies, phrases and traffic (parquet), candidate lists, card and plots.

    Raises:
        DataError: if a split is left without pairs, or the reply base without replies.
    """
    table = read_messages(messages)
    turns = add_gaps(merge_turns(table))
    thresholds = gap_thresholds(turns, params)
    dialogues = cut_dialogues(turns, thresholds)
    duplicates = near_duplicates(dialogues, params.duplicate_overlap)
    kept = dialogues.filter(~pl.col("conversation_id").is_in(list(duplicates)))
    kept = kept.with_columns(
        split=pl.col("conversation_id").map_elements(lambda c: split_of(c, params), return_dtype=pl.String)
    )
    pairs = make_pairs(kept, params.context_turns).with_columns(late=pl.col("started_at") > late_cut(table, params))
    training = kept.filter(pl.col("split") == "train")["conversation_id"].unique()
    replies = count_said(table.filter(pl.col("conversation_id").is_in(training.to_list())), params)
    phrases, traffic = phrase_tables(table, params)
    _check(pairs, replies, phrases, messages)
    with whole_directory(out) as directory:
        checksums = _write_candidates(pairs, params, directory)
        for name, frame in {"pairs": pairs, "replies": replies, "phrases": phrases, "traffic": traffic}.items():
            frame.write_parquet(directory / f"{name}.parquet")
        write_rows(directory / "gaps.json", gap_histogram(turns, thresholds))
        counts = {
            "messages": len(table),
            "turns": len(turns),
            "conversations": turns["conversation_id"].n_unique(),
            "duplicate_conversations": len(duplicates),
            "duplicate_turns": len(turns) - len(kept),
            **_card(kept, pairs, thresholds),
            "replies": len(replies),
            "phrases": len(phrases),
        }
        write_json(directory / "card.json", {**counts, "checksums": checksums})


def _check(pairs: pl.DataFrame, replies: pl.DataFrame, phrases: pl.DataFrame, path: Path) -> None:
    found = pairs["split"].value_counts().to_dict(as_series=False)
    sizes = dict(zip(found["split"], found["count"], strict=True))
    problems = [f"no pairs in split {s}" for s in ("train", "validation", "test") if not sizes.get(s)]
    problems += [
        f"no {name} said by dialogues.min_reply_senders different senders"
        for name, frame in {"reply was": replies, "phrase of the earlier slice was": phrases}.items()
        if frame.is_empty()
    ]
    if problems:
        raise DataError(
            f"{path}: {'; '.join(problems)}. Next: add conversations, or lower dialogues.min_reply_senders"
        )


def _write_candidates(pairs: pl.DataFrame, params: Params, directory: Path) -> dict[str, str]:
    sizes = {
        "validation": (params.validation_items, params.validation_pool),
        "test": (params.test_items, params.test_pool),
    }
    checksums = {}
    for split, (items, pool) in sizes.items():
        candidates = build_candidates(
            pairs.filter(pl.col("split") == split),
            items=items, pool_size=pool, negatives=params.negatives, seed=params.seed,
        )  # fmt: skip
        candidates.save(directory / split)
        checksums[split] = candidates.checksum
    return checksums


def _card(kept: pl.DataFrame, pairs: pl.DataFrame, thresholds: pl.DataFrame) -> dict[str, object]:
    dialogues = kept.select("source", "conversation_id", "dialogue").n_unique()
    by_split = pairs.group_by("split").agg(
        pairs=pl.len(), conversations=pl.col("conversation_id").n_unique(), reactions=pl.col("reaction").count()
    )
    return {
        "dialogues": dialogues,
        "opening_turns": dialogues,
        "pairs": len(pairs),
        "gaps": {row.pop("source"): row for row in thresholds.to_dicts()},
        "splits": {row.pop("split"): row for row in by_split.sort("split").to_dicts()},
    }
