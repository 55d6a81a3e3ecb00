"""Dialogues: messages -> turns -> dialogues -> (context, reply) pairs, reply base, phrases, candidate lists.

messages -> cut at long silences -> fold spam, merge one sender's messages -> drop near-duplicate conversations
         -> pair every turn with the turns before it -> distractors, weak reactions -> checks
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import polars as pl
from pydantic import Field

from rejoinder.release.tokenizer_file import TOKENIZER
from stages.checks.data_docs import write_site
from stages.checks.great_expectations import open_context
from stages.common.base_encoder import base_folder
from stages.common.canaries import SOURCE as CANARY
from stages.common.errors import DataError
from stages.common.messages import read_messages
from stages.common.output import atomic_directory, write_json, write_rows
from stages.common.params import StageParams
from stages.common.sources import ReaderName
from stages.common.text_keys import normalized, same_words
from stages.dialogues.branches import first_told, root
from stages.dialogues.distractors import add_distractors, distractor_report
from stages.dialogues.funnels import balance, funnels_of, lines_by_source, offer_funnel
from stages.dialogues.gaps import add_gaps, cut_dialogues, gap_histogram, gap_report, gap_thresholds
from stages.dialogues.lengths import length_histogram, length_report, lengths, token_counts
from stages.dialogues.pair_rules import check_pairs
from stages.dialogues.pairs import (
    Split,
    add_drop_reasons,
    add_splits,
    copies,
    dialogue_count,
    make_pairs,
    split_report,
)
from stages.dialogues.replies import add_answered
from stages.dialogues.reply_base import ReplyBase, ReplyRule, build_reply_base, k_curve, late_cut
from stages.dialogues.turns import fold_repeats, merge_turns, number_turns
from stages.dialogues.weak_reactions import add_weak_reactions, weak_report
from stages.evaluation.candidates import build_candidates

PAIRS = (
    "pair_id", "source", "conversation_id", "split", "sender", "role", "started_at", "late", "context",
    "context_own", "reply", "repeats", "reaction", "weak_reaction", "weak_rule", "weak_weight", "distractors",
)  # fmt: skip
#: Of what bots answered, also which message it is: a reaction is looked up by it.
ANSWERS = (*PAIRS, "message_id")


class Params(StageParams):
    """How dialogues are cut, paired and split."""

    SHARED = ("base",)
    gap_percentile: float = Field(ge=50, lt=100)
    """A dialogue ends where the silence is longer than this percentile of its source's silences before answers."""
    min_gap_s: float = Field(ge=0)
    """Seconds; shorter silences never end a dialogue, whatever the percentile says."""
    spam_repeats: int = Field(ge=2)
    """A text said this often within one turn is spam: it is folded into one message, as neighbours always are."""
    context_turns: int = Field(ge=1, le=16)
    """Turns kept before each reply."""
    distractors: int = Field(ge=1, le=8)
    """Wrong replies beside each right one; published practice takes 3."""
    base: str
    """Whose tokens the length report counts."""
    block_share: float = Field(gt=0.5, le=1)
    """The length report names the shortest block that holds this share of the texts whole."""
    validation_share: float = Field(gt=0, lt=0.5)
    """Share of conversations for choosing checkpoints."""
    test_share: float = Field(gt=0, lt=0.5)
    """Share of conversations looked at only by the benchmark."""
    duplicate_overlap: float = Field(gt=0, le=1)
    """Conversations go that share this part of their longer turns with an earlier one (of the smaller set)."""
    min_reply_senders: int = Field(ge=1)
    """k: the phrase list holds only what at least this many different people have said."""
    ngram_users: list[int] = Field(min_length=1, max_length=5)
    """Of a reply's words, of pairs, of triples of neighbours: people that must have used the rarest one."""
    reply_words: list[int] = Field(min_length=2, max_length=2)
    """Least and most words of a reply."""
    max_reply_chars: int = Field(ge=1)
    """Characters; longer replies are not offered."""
    withheld: list[ReaderName] = Field(["decisions"])
    """Sources whose texts are neither offered as replies nor cached, though they teach: to offer what users of a
    server wrote is for whoever runs it to decide."""
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
    """Of the split, and of the draws of distractors, items, pools and negatives."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps from messages to pairs, each a table, so that all of them can be counted.

    Attributes:
        people: messages that people sent, with the silences before them.
        thresholds: longest silence inside a dialogue, by source.
        messages: with spam folded.
        turns: with the `drop_reason` of each.
        pairs: with every column that later steps count.
    """

    people: pl.DataFrame
    thresholds: pl.DataFrame
    messages: pl.DataFrame
    turns: pl.DataFrame
    pairs: pl.DataFrame


def assemble(table: pl.DataFrame, params: Params) -> Steps:
    """Make pairs of messages.

    Args:
        table: a messages table, in any order.
        params: section `dialogues`.

    Returns:
        Every step.
    """
    people = table.filter(pl.col("source") != CANARY)
    people = add_gaps(people.with_columns(key=normalized(people["text"])))
    thresholds = gap_thresholds(people, params.gap_percentile, params.min_gap_s)
    numbered = add_answered(number_turns(cut_dialogues(people, thresholds)))
    messages = add_splits(
        fold_repeats(numbered, params.spam_repeats),
        validation_share=params.validation_share, test_share=params.test_share, seed=params.seed,
    )  # fmt: skip
    turns = add_drop_reasons(merge_turns(messages), params.duplicate_overlap).with_columns(
        said=same_words(pl.col("key"))
    )
    turns = turns.with_columns(tokens=token_counts(turns["key"], base_folder(params.base) / TOKENIZER))
    pairs = add_distractors(make_pairs(turns, params.context_turns), params.distractors, params.seed)
    late = pl.col("started_at") > later_from(messages, params)
    return Steps(people, thresholds, messages, turns, add_weak_reactions(pairs).with_columns(late=late))


def countable(messages: pl.DataFrame, params: Params) -> pl.DataFrame:
    """Leave out what nobody may be answered with: what bots said, withheld sources, and repetitions.

    Args:
        messages: in order.
        params: section `dialogues`.

    Returns:
        The others.
    """
    return messages.filter(
        pl.col("role") == "user", ~pl.col("source").is_in(params.withheld), first_told("message_id")
    )


def later_from(messages: pl.DataFrame, params: Params) -> datetime:
    """When the later slice begins: of what counts, if anything does."""
    counted = countable(messages, params)
    return late_cut(counted if len(counted) else messages, params.late_share)


def offer(steps: Steps, params: Params) -> ReplyBase:
    """Choose replies and phrases of people, from conversations that repeat no other: a copy fakes a second sender.

    Args:
        steps: from messages to pairs.
        params: k, the length limit and the later slice.

    Returns:
        Reply base, phrases, later traffic, and all counts.
    """
    copied = steps.turns.filter(pl.col("drop_reason") == "near_duplicate")
    said = countable(steps.messages, params).join(copied, on="conversation_id", how="anti", maintain_order="left")
    cut = later_from(steps.messages, params)
    rule = ReplyRule(tuple(params.ngram_users), *params.reply_words)
    return build_reply_base(said, cut, k=params.min_reply_senders, max_chars=params.max_reply_chars, rule=rule)


def card(table: pl.DataFrame, steps: Steps, offered: ReplyBase, params: Params) -> dict[str, Any]:
    """Sum up: funnels, which add up, and reports. Counts only, never texts.

    Args:
        table: all messages.
        steps: from messages to pairs.
        offered: replies and phrases.
        params: section `dialogues`.

    Returns:
        The card.

    Raises:
        DataError: if the counts do not add up.
    """
    k = params.min_reply_senders
    funnels = [
        *funnels_of(table, steps.people, steps.messages, steps.turns, steps.pairs),
        offer_funnel("replies", offered.replies_counted, offered.replies),
        offer_funnel("phrases", offered.phrases_counted, offered.phrases, k),
    ]
    balance(funnels)
    return {
        **{funnel.name: funnel.as_dict() for funnel in funnels},
        "dialogues": dialogue_count(steps.turns),
        "splits": split_report(steps.pairs),
        "gaps": gap_report(steps.people, steps.thresholds),
        "distractors": distractor_report(steps.pairs, params.distractors),
        "weak_reactions": weak_report(steps.pairs),
    }


def run(params: Params, *, messages: Path = Path("build/validate/messages"), out: Path) -> None:
    """Assemble dialogues.

    Args:
        params: section `dialogues`.
        messages: a validated messages table.
        out: directory to make: pairs (what people replied), answers (what bots did), replies, phrases and traffic
            (parquet), candidate lists, dialogues.json (the card), rows of plots, and data_docs/.

    Raises:
        DataError: if a split is left without pairs, the reply base without replies, the counts do not add up, or
            a pair breaks a rule.
    """
    table = read_messages(messages)
    if not (table["source"] != CANARY).any():
        raise DataError(f"{messages}: expected messages of people, got none. Next: add logs to `ingest`")
    steps = assemble(table, params)
    for line in lines_by_source(steps.people, steps.turns):
        sys.stdout.write(f"dialogues: {line}\n")
    offered = offer(steps, params)
    every = steps.pairs.with_columns(conversation_id=root())
    pairs, answers = every.filter(role="user"), every.filter(pl.col("role") != "user").select(ANSWERS)
    _require_enough(pairs, offered, messages)
    training = lengths(pairs.filter(pl.col("split") == "train"), params.context_turns)
    blocks = length_report(training, params.block_share)
    pairs = pairs.select(PAIRS)
    context = open_context()
    left = steps.turns.filter(pl.col("drop_reason").ne_missing("near_duplicate"))
    checks = check_pairs(context, every.select(PAIRS), copies(left, params.duplicate_overlap))
    with atomic_directory(out) as directory:
        pairs.write_parquet(directory / "pairs.parquet")
        answers.write_parquet(directory / "answers.parquet")
        for name in ("replies", "phrases", "traffic"):
            getattr(offered, name).write_parquet(directory / f"{name}.parquet")
        write_rows(directory / "gaps.json", gap_histogram(steps.people, steps.thresholds))
        write_rows(directory / "lengths.json", length_histogram(training, blocks))
        write_rows(directory / "k_senders.json", k_curve(offered.replies_counted))
        write_site(context, directory / "data_docs", checks)
        write_json(
            directory / "dialogues.json",
            {
                **card(table, steps, offered, params),
                "lengths": blocks,
                "checks": checks,
                "checksums": _write_candidates(pairs, params, directory),
            },
        )


def _require_enough(pairs: pl.DataFrame, offered: ReplyBase, path: Path) -> None:
    found = set(pairs["split"].unique())
    problems = [f"no pairs in split {split}" for split in get_args(Split) if split not in found]
    if offered.phrases.is_empty():
        problems.append("no phrase of the earlier slice was said by dialogues.min_reply_senders different senders")
    if offered.replies.is_empty():
        taken = offer_funnel("replies", offered.replies_counted, offered.replies).less
        counts = ", ".join(f"{fault} {count:,}" for fault, count in taken.items() if count)
        problems.append(f"no reply is left of {len(offered.replies_counted):,} texts ({counts})")
    if problems:
        raise DataError(
            f"{path}: {'; '.join(problems)}. Next: add conversations, or lower dialogues.min_reply_senders or "
            "dialogues.ngram_users"
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
