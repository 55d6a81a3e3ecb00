"""What sources look like as a whole: shares, sizes, lengths, labels, and the limits that each can break."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.checks.great_expectations import check, open_context
from stages.common.messages import MESSAGES
from stages.validate.counts import (
    FLOOR,
    Band,
    count,
    count_holes,
    judged,
    labels,
    lengths,
    merge,
    summarize,
)
from stages.validate.rules import BAD_SLOT, SHARES, share_rules, size_rules

START = datetime(2024, 5, 1, tzinfo=UTC)


def messages(*rows: dict[str, Any]) -> pl.DataFrame:
    base = {
        "source": "a",
        "conversation_id": "a/1",
        "sender": "s",
        "sent_at": START,
        "text": "hi there",
        "role": "user",
        "reply_to": None,
    }
    return pl.DataFrame(
        [{**base, "message_id": str(i), "order": i, **r} for i, r in enumerate(rows)], schema=MESSAGES
    )


GOOD = [
    {"sender": "s" if i % 2 else "t", "conversation_id": f"a/{i // 2}", "text": f"no {i}"} for i in range(2 * FLOOR)
]
LIMITS = dict.fromkeys(SHARES, 0.4) | {"sender_share": 0.5}
BREACHES: dict[str, list[dict[str, Any]]] = {
    "repeated_share_limited": [{**r, "conversation_id": "a/1", "text": "buy"} for r in GOOD],
    "only_slots_share_limited": [{**r, "text": "<PERSON_1>, <PERSON_2>!"} for r in GOOD],
    "foreign_share_limited": [{**r, "text": "привет <PERSON_1>"} for r in GOOD],
    "one_sender_share_limited": [{**r, "conversation_id": f"a/x{i}"} for i, r in enumerate(GOOD)],
    "label_share_limited": [{**r, "reaction": "love"} for r in GOOD],
    "sender_share_limited": [*GOOD, {"sender": "t", "text": "one more"}],
    "slots_numbered": [*GOOD, {"text": "<PERSON_2>", "sender": "s"}, {"text": "fine", "sender": "t"}],
}


def broken_by(table: pl.DataFrame, bands: dict[str, Band]) -> set[str]:
    counts = merge([count(table, 2), count_holes(table)])
    findings = check(open_context(), "sources", judged(summarize(counts, bands)), share_rules(LIMITS))
    return {f.rule.id for f in findings if not f.success}


def test_a_usual_source_breaks_no_limit() -> None:
    assert broken_by(messages(*GOOD), {"a": Band(least=0.0, most=0.1), "gone": Band(least=0.5, most=1.0)}) == set()


@pytest.mark.parametrize("rule", BREACHES)
def test_each_limit_of_shares_is_broken_by_a_source(rule: str) -> None:
    assert broken_by(messages(*BREACHES[rule]), {}) == {rule}


def test_a_source_of_a_few_lines_stops_nothing() -> None:
    few = [{**r, "source": "b", "conversation_id": f"b/{i}", "text": "да"} for i, r in enumerate(GOOD[: FLOOR - 1])]
    assert broken_by(messages(*GOOD, *few), {"b": Band(least=0.5, most=1.0)}) == set()


def test_each_least_size_is_judged() -> None:
    rules = size_rules(messages=3, conversations=2, senders=2)
    sizes = {"messages": [2, 1], "conversations": [1, 1], "senders": [1, 1]}
    for column in sizes:
        short = pl.DataFrame({**sizes, column: [1, 0]})
        found = check(open_context(), "sources", short, rules)
        assert [f.rule.id for f in found if not f.success] == [f"enough_{column}"]
    assert all(f.success for f in check(open_context(), "sources", pl.DataFrame(sizes), rules))


def test_a_share_of_reactions_outside_its_band_is_found() -> None:
    table = messages(*({**r, "reaction": "love" if i < 20 else None} for i, r in enumerate(GOOD)))
    assert broken_by(table, {"a": Band(least=0.1, most=0.3)}) == set()
    assert broken_by(table, {"a": Band(least=0.3, most=0.5)}) == {"reactions_in_band"}
    assert broken_by(table, {"a": Band(least=0.0, most=0.1)}) == {"reactions_in_band"}


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("st"), st.sampled_from(["x", "<PERSON_1>", "long"]))))
def test_counts_of_parts_add_up_to_those_of_the_whole(rows: list[tuple[int, str, str]]) -> None:
    table = messages(*({"conversation_id": f"a/{c}", "sender": s, "text": t} for c, s, t in rows))
    parts = [count(part, 1) for part in table.partition_by("conversation_id")]
    assert merge(parts).equals(merge([count(table, 1)]))


def test_lengths_are_those_that_so_many_messages_do_not_exceed() -> None:
    counts = count(messages(*({"text": "x" * n} for n in range(1, 101))), 1)
    assert lengths(counts).to_dicts() == [{"source": "a", "p50": 50, "p90": 90, "p99": 99}]


def test_class_balance_is_told_by_source() -> None:
    rows = [
        {"reaction": "love"},
        {"reaction": "funny"},
        {"reaction": "love"},
        {},
        {"source": "b", "conversation_id": "b/1"},
    ]
    found = labels(count(messages(*rows), 1)).to_dicts()
    assert [(r["source"], r["reaction"], r["messages"], r["of_messages_share"]) for r in found] == [
        ("a", "funny", 1, 0.25),
        ("a", "love", 2, 0.5),
    ]


@pytest.mark.parametrize("slot", ["<PERSON_1>", "<BIRTH_DATE_1>", "<BIRTH_DATE_12>"])
def test_a_slot_of_any_type_is_well_formed_and_counted(slot: str) -> None:
    assert not re.search(BAD_SLOT, f"born {slot}, really")
    counts = count(messages({"text": f"born {slot}"}, {"text": slot}), 1)
    kind = slot.strip("<>").rsplit("_", 1)[0]
    assert counts.filter(pl.col("measure") == "slot").select("value", "count").rows() == [(kind, 2)]
    assert counts.filter(pl.col("measure") == "only_slots")["count"].to_list() == [1]


def test_a_hole_in_the_numbers_of_a_type_with_an_underscore_is_counted() -> None:
    holes = count_holes(messages({"text": "<BIRTH_DATE_2> <PERSON_1>"}))
    assert holes.select("measure", "value", "count").rows() == [("slot_hole", "BIRTH_DATE", 1)]
