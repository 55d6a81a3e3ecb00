"""Replies: the turn that a reply names ends its context; where no reply is named, nothing changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.messages import MESSAGES
from stages.common.text_keys import normalized
from stages.dialogues.gaps import add_gaps, cut_dialogues, gap_thresholds
from stages.dialogues.pairs import add_drop_reasons, make_pairs
from stages.dialogues.replies import REACH, add_answered
from stages.dialogues.turns import fold_repeats, merge_turns, number_turns

START = datetime(2024, 1, 1, tzinfo=UTC)

#: Sender, text, and the place of the message that it replies to.
Said = tuple[str, str, int | None]


def table(rows: list[Said], silence_before: int | None = None) -> pl.DataFrame:
    full = [
        {
            "source": "s", "conversation_id": "c", "message_id": str(n), "sender": sender, "order": n, "text": text,
            "sent_at": START + timedelta(seconds=n + (9999 if silence_before and n >= silence_before else 0)),
            "role": "user", "reply_to": None if to is None else str(to),
        }
        for n, (sender, text, to) in enumerate(rows)
    ]  # fmt: skip
    messages = pl.DataFrame(full, schema=MESSAGES)
    return messages.with_columns(key=normalized(messages["text"]), split=pl.lit("train"))


def pairs(rows: list[Said], context_turns: int = 2, silence_before: int | None = None) -> dict[str, list[str]]:
    spaced = add_gaps(table(rows, silence_before))
    numbered = add_answered(number_turns(cut_dialogues(spaced, gap_thresholds(spaced, 99, 60))))
    turns = add_drop_reasons(merge_turns(fold_repeats(numbered, 3)), 0.5).with_columns(
        said=pl.int_range(pl.len(), dtype=pl.UInt64), tokens=pl.lit(3, pl.UInt32)
    )
    found = make_pairs(turns, context_turns)
    for column in ("context_own", "context_said", "context_tokens"):
        assert found[column].list.len().to_list() == found["context"].list.len().to_list()
    return dict(found.select("reply", "context").iter_rows())


TWO_TALKS: list[Said] = [
    ("a", "which oil?", None), ("b", "how long do eggs boil?", None), ("c", "the green one", 0),
    ("d", "seven minutes", 1), ("a", "thanks", 2),
]  # fmt: skip


def test_the_turn_that_a_reply_names_ends_its_context() -> None:
    assert pairs(TWO_TALKS) == {
        "how long do eggs boil?": ["which oil?"],
        "the green one": ["which oil?"],
        "seven minutes": ["which oil?", "how long do eggs boil?"],
        "thanks": ["how long do eggs boil?", "the green one"],
    }


def test_of_a_turn_of_several_messages_the_first_that_replies_counts_even_if_it_is_folded() -> None:
    rows: list[Said] = [*TWO_TALKS[:2], ("c", "hm", None), ("c", "hm", 0), ("c", "green", 1), ("d", "ok", 2)]
    assert pairs(rows)["hm\ngreen"] == ["which oil?"]
    assert pairs(rows)["ok"] == ["how long do eggs boil?", "hm\ngreen"]


@pytest.mark.parametrize("to", [None, 99, 2, 3, 0])
def test_a_reply_to_nobody_to_oneself_or_to_what_comes_later_changes_nothing(to: int | None) -> None:
    rows: list[Said] = [("c", "one", None), ("b", "two", None), ("c", "three", to), ("d", "four", None)]
    assert pairs(rows)["three"] == ["one", "two"]


def test_a_reply_reaches_over_no_silence_and_no_further_than_its_reach() -> None:
    far: list[Said] = [("a", "first", None), *((f"p{n % 2}", f"line {n}", None) for n in range(REACH))]
    assert pairs([*far, ("b", "late", 0)])["late"] == ["line 48", "line 49"]
    assert pairs([*far[:-1], ("b", "in time", 0)])["in time"] == ["first"]
    silent: list[Said] = [("a", "before", None), ("b", "yes", None), ("c", "after", None), ("b", "no", 0)]
    assert pairs(silent, silence_before=2) == {"yes": ["before"], "no": ["after"]}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", "z"])), min_size=1, max_size=30))
def test_replies_to_the_turn_before_change_nothing(said: list[tuple[str, str]]) -> None:
    plain: list[Said] = [(who, f"{text}{n}", None) for n, (who, text) in enumerate(said)]
    replying: list[Said] = [(who, text, n - 1 if n else None) for n, (who, text, _) in enumerate(plain)]
    assert pairs(replying) == pairs(plain)
