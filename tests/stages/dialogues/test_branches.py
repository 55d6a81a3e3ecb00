"""Branches of conversations, and what bots say: counted once, kept together, never taken for what a person says."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from stages.common.errors import DataError
from stages.dialogues import stage as dialogues
from stages.dialogues.branches import kept_together, root
from stages.dialogues.stage import assemble, offer
from tests.stages.dialogues.talk import messages
from tests.stages.dialogues.test_stage import PARAMS, some_messages

BOTS = ["what a lovely day it is", "tell me more about it please", "i am glad to hear that"]


def with_bot(conversation: str, *said: str) -> pl.DataFrame:
    """A talk of a person of the same name, who begins, with a bot that always says the same."""
    turns = [text for pair in zip(said, BOTS, strict=False) for text in pair]
    rows = [
        (conversation, "bot" if n % 2 else conversation, 9.0 * n, f"{text}{'!' * (n == 1)}")
        for n, text in enumerate(turns)
    ]
    role = pl.when(pl.col("sender") == "bot").then(pl.lit("bot")).otherwise(pl.lit("user"))
    return messages(*rows).with_columns(source=pl.lit("decisions"), role=role)


def test_a_branch_belongs_to_its_conversation_only_where_the_source_has_branches() -> None:
    ids = {
        "decisions/p1-c1/chatcmpl-1": ("decisions/p1-c1", "decisions/p1"),
        "decisions/p1-c2": ("decisions/p1-c2", "decisions/p1"),
        "decisions/c3/chatcmpl-1/2": ("decisions/c3", "decisions/c3"),
        "decisions/c3": ("decisions/c3", "decisions/c3"),
        "native/a/b": ("native/a/b", "native/a/b"),
        "native/decisions/a-b": ("native/decisions/a-b", "native/decisions/a-b"),
    }
    table = pl.DataFrame({"conversation_id": list(ids)})
    assert table.select(root()).to_series().to_list() == [of for of, _ in ids.values()]
    assert table.select(kept_together()).to_series().to_list() == [together for _, together in ids.values()]


def test_a_bot_that_says_the_same_to_everybody_makes_no_copies() -> None:
    talks = [with_bot(f"decisions/c{n}", f"hi {n}", f"fine {n}", f"oh yes {n}") for n in range(5)]
    steps = assemble(pl.concat(talks), PARAMS)
    assert "near_duplicate" not in set(steps.turns["drop_reason"])
    assert steps.pairs.filter(role="bot")["reaction"].to_list() == ["funny", None, None] * 5


def test_the_same_person_in_two_copies_of_a_talk_with_a_bot_is_one() -> None:
    said = ("i really like green tea", "what else do you like", "so do i my friend")
    steps = assemble(pl.concat([with_bot("decisions/a", *said), with_bot("decisions/b", *said)]), PARAMS)
    assert set(steps.pairs["conversation_id"]) == {"decisions/a"}


def test_a_branch_is_no_copy_and_repeats_no_row() -> None:
    said = ("i really like green tea", "what else do you like", "so do i my friend")
    whole, branch = with_bot("decisions/a", *said), with_bot("decisions/a/x", *said)
    last = pl.int_range(pl.len()) == len(branch) - 1
    branch = branch.with_columns(
        message_id=pl.when(last).then(pl.lit("x")).otherwise("message_id"),
        text=pl.when(last).then(pl.lit("no")).otherwise("text"),
        reaction=pl.when(last).then(pl.lit("downvote")),
    )
    steps = assemble(pl.concat([whole, branch]), PARAMS)
    rows = steps.pairs.filter(conversation_id="decisions/a/x").select("reply", "message_id", "reaction", "context")
    assert rows.rows() == [("no", "x", "downvote", steps.turns["text"].to_list()[3:5])]
    assert steps.pairs["split"].n_unique() == 1
    offered = offer(steps, PARAMS.model_copy(update={"withheld": [], "late_share": 0.01}))
    assert set(offered.phrases_counted["count"]) == {1}
    assert not set(offered.phrases_counted["key"]) & set(BOTS)


def test_withheld_texts_are_not_offered_even_if_there_are_no_others() -> None:
    talks = [with_bot(f"decisions/c{n}", "hello", "yeah sure", "bye") for n in range(60)]
    table = pl.concat(talks)
    assert offer(assemble(table, PARAMS), PARAMS).phrases_counted.is_empty()
    assert offer(assemble(table, PARAMS), PARAMS.model_copy(update={"withheld": []})).phrases.height == 3


def test_a_build_of_withheld_texts_alone_says_that_no_reply_is_left(tmp_path: Path) -> None:
    path = tmp_path / "messages.parquet"
    some_messages(60).with_columns(source=pl.lit("decisions")).write_parquet(path)
    with pytest.raises(DataError, match="no reply is left of 0 texts"):
        dialogues.run(PARAMS, messages=path, out=tmp_path / "out")
