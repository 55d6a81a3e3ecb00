"""Turns of a dialogue -> (context, reply) pairs, in splits by conversation."""

from __future__ import annotations

import hashlib
from typing import Literal

import polars as pl

from stages.dialogues.branches import first_told, kept_together, root
from stages.dialogues.gaps import CONVERSATION
from stages.dialogues.near_duplicates import near_duplicates
from stages.dialogues.replies import follow_replies

Split = Literal["train", "validation", "test"]
#: Why a turn becomes no reply of a pair; the first that holds.
DROP_REASONS = ("near_duplicate", "one_sender", "repeated", "opening")


def split_of(conversation_id: str, *, validation_share: float, test_share: float, seed: int) -> Split:
    """Assign a conversation to a split by its hash: stable under added data, whatever the order."""
    digest = hashlib.blake2b(conversation_id.encode(), digest_size=8, key=str(seed).encode()).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < test_share:
        return "test"
    return "validation" if place < test_share + validation_share else "train"


def add_splits(messages: pl.DataFrame, *, validation_share: float, test_share: float, seed: int) -> pl.DataFrame:
    """Add `split`; each conversation is hashed once, or the person where all of one person's are kept together."""
    names = messages.select(kept_together()).to_series()
    ids = names.unique()
    splits = [split_of(c, validation_share=validation_share, test_share=test_share, seed=seed) for c in ids]
    assigned = names.replace_strict(ids, pl.Series(splits, dtype=pl.String()))
    return messages.with_columns(split=assigned.cast(pl.String))


def add_drop_reasons(turns: pl.DataFrame, overlap: float) -> pl.DataFrame:
    """Add `drop_reason`: why a turn becomes no reply of a pair; null if it becomes one.

    Args:
        turns: all turns, in order.
        overlap: as in `near_duplicates`.

    Returns:
        The turns with `drop_reason`: near_duplicate or one_sender (its conversation), repeated (in a branch),
        opening (of its dialogue), or null.
    """
    copy = root().is_in(list(copies(turns, overlap)))
    alone = pl.col("sender").n_unique().over(CONVERSATION) == 1
    opening = pl.int_range(pl.len()).over(*CONVERSATION, "dialogue") == 0
    drop_reason = (
        pl.when(copy).then(pl.lit("near_duplicate"))
        .when(alone).then(pl.lit("one_sender"))
        .when(~first_told("message_ids")).then(pl.lit("repeated"))
        .when(opening).then(pl.lit("opening"))
    )  # fmt: skip
    return turns.with_columns(drop_reason=drop_reason)


def copies(turns: pl.DataFrame, overlap: float) -> set[str]:
    """Find conversations that repeat another one, as `near_duplicates`, by what people say: bots repeat themselves.

    Args:
        turns: of any conversations.
        overlap: as in `near_duplicates`.

    Returns:
        Their ids; of one with branches that of all of it.
    """
    said = turns.filter(role="user").select("key", conversation_id=root())
    return near_duplicates(said, overlap)


def make_pairs(turns: pl.DataFrame, context_turns: int) -> pl.DataFrame:
    """Pair every turn without a `drop_reason` with the turns before it in its dialogue.

    Args:
        turns: with `dialogue`, `split`, `drop_reason`, `said`, `tokens` and `back`, in order.
        context_turns: most turns of context.

    Returns:
        One row a pair: pair_id, the columns of its turn (its text as `reply`), and of the turns before it, or up to
        the one that it says to answer, `context`, `context_own` (whether by the one who replies), `context_said`
        and `context_tokens` (lists, oldest first);
        `answer` is the canonical form of the first message of the turn after it, null at a dialogue's end.
    """
    group = (*CONVERSATION, "dialogue")
    turns = turns.with_columns(person=pl.col("sender").rank("dense").cast(pl.Int64))
    before = {"text": "context", "said": "context_said", "tokens": "context_tokens", "person": "context_people"}
    contexts = {
        name: pl.concat_list(
            pl.col(column).shift(n).over(group) for n in range(context_turns, 0, -1)
        ).list.drop_nulls()
        for column, name in before.items()
    }
    placed = turns.with_columns(
        place=pl.int_range(pl.len()).over(group), answer=pl.col("first").shift(-1).over(group), **contexts
    )
    placed = follow_replies(placed, before.items(), context_turns)
    own = (pl.col("context_people") - pl.col("person")).list.eval(pl.element() == 0)
    placed = placed.with_columns(context_own=own).drop("context_people", "person")
    pair_id = pl.format("{}/{}/{}", "conversation_id", "dialogue", "place")
    return placed.filter(pl.col("drop_reason").is_null()).with_columns(pair_id=pair_id).rename({"text": "reply"})


def split_report(pairs: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Count pairs, conversations, reactions and weak reactions by split."""
    counted = pairs.group_by("split").agg(
        pairs=pl.len(),
        conversations=pl.col("conversation_id").n_unique(),
        reactions=pl.col("reaction").count(),
        weak_reactions=pl.col("weak_reaction").count(),
    )
    return {row.pop("split"): row for row in counted.sort("split").to_dicts()}


def dialogue_count(turns: pl.DataFrame) -> int:
    """Count the dialogues of conversations of two people or more that repeat no other."""
    own = pl.col("drop_reason").is_null() | (pl.col("drop_reason") == "opening")
    return turns.filter(own).select(*CONVERSATION, "dialogue").n_unique()
