from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.checks.great_expectations import open_context
from stages.common.errors import DataError
from stages.common.messages import REACTIONS
from stages.dialogues.distractors import add_distractors, distractor_report
from stages.dialogues.pair_rules import check_pairs, facts
from stages.dialogues.weak_reactions import RULES, RULES_VERSION, add_weak_reactions, weak_report


def pairs_of(*rows: tuple[str, str, str, list[str]]) -> pl.DataFrame:
    """(conversation, sender, reply, context) -> pairs; equal texts are said to be the same."""
    table = pl.DataFrame(
        [(f"{c}/0/{n}", c, sender, reply, context) for n, (c, sender, reply, context) in enumerate(rows)],
        schema={
            "pair_id": pl.String, "conversation_id": pl.String, "sender": pl.String, "reply": pl.String,
            "context": pl.List(pl.String),
        },
        orient="row",
    )  # fmt: skip
    return table.with_columns(
        said=pl.col("reply").hash(), context_said=pl.col("context").list.eval(pl.element().hash())
    )


def test_distractors_are_other_replies_of_the_same_person() -> None:
    rows = [(c, "xy"[n % 2], f"{c} {n}", ["?"]) for c in "ab" for n in range(12)]
    found = add_distractors(pairs_of(*rows), 3, seed=1)
    said_by = dict(zip(found["reply"], found["sender"], strict=True))
    for row in found.iter_rows(named=True):
        assert len(set(row["distractors"])) == 3
        assert {said_by[wrong] for wrong in row["distractors"]} == {row["sender"]}
        assert {wrong[0] for wrong in row["distractors"]} == {row["conversation_id"]}
        assert row["reply"] not in row["distractors"]
    counts = found["distractors"].explode().value_counts()["count"]
    assert set(counts) == {3}, "each reply stands equally often in the wrong place"


def test_other_people_fill_up_and_short_conversations_have_fewer() -> None:
    found = add_distractors(
        pairs_of(("a", "x", "1", ["?"]), ("a", "x", "2", ["?"]), ("a", "y", "3", ["?"]), ("b", "x", "4", ["?"])),
        3, seed=1,
    )  # fmt: skip
    assert [sorted(wrong) for wrong in found["distractors"].to_list()] == [["2", "3"], ["1", "3"], ["1", "2"], []]
    assert found["distractors"].to_list()[0][0] == "2"
    assert distractor_report(found, 3) == {
        "pairs_with": {"0": 1, "1": 0, "2": 3, "3": 0}, "same_person_share": 2 / 6,
    }  # fmt: skip


TALK = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from("xy"),
        st.sampled_from("12345"),
        st.lists(st.sampled_from("12345"), min_size=1, max_size=3),
    ),
    max_size=30,
)


@given(TALK, st.integers(0, 2**31))
def test_a_distractor_is_neither_right_nor_said_before(
    rows: list[tuple[str, str, str, list[str]]], seed: int
) -> None:
    pairs = pairs_of(*rows)
    found = add_distractors(pairs, 3, seed)
    assert found.drop("distractors", "same_person").equals(pairs)
    for row in found.iter_rows(named=True):
        wrong = row["distractors"]
        assert not {row["reply"], *row["context"]} & set(wrong)
        assert len(set(wrong)) == len(wrong) <= 3
        here = {reply for c, _, reply, _ in rows if c == row["conversation_id"]}
        if len(rows) <= 16:
            assert len(wrong) == min(3, len(here - {row["reply"], *row["context"]}))


def test_distractors_depend_on_the_seed_and_on_nothing_else() -> None:
    pairs = pairs_of(*(("a", "x", f"{n}", ["?"]) for n in range(30)))
    one = add_distractors(pairs, 3, seed=1)
    assert one.equals(add_distractors(pairs, 3, seed=1))
    assert not one.equals(add_distractors(pairs, 3, seed=2))
    turned = add_distractors(pairs.reverse(), 3, seed=1).reverse()
    assert turned["distractors"].to_list() == one["distractors"].to_list()


def answered(*answers: str | None, split: str = "train", reaction: str | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        {"source": "s", "answer": pl.Series(answers, dtype=pl.String), "split": split, "reaction": reaction},
        schema_overrides={"reaction": pl.String},
    )


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("haha", "w1.laughter"), ("hahaha!!", "w1.laughter"), ("lol 😂", "w1.laughter"), ("😂😂", "w1.laughter"),
        ("haha so what do you study?", "w1.laughter_first"), ("ha ha, no", "w1.laughter_first"),
        ("that's so cool!", "w1.delight"), ("oh wow, that sounds amazing", "w1.delight"),
        ("awww", "w1.affection"), ("❤", "w1.affection"), ("that’s adorable", "w1.affection"),
        ("thanks!", "w1.thanks"), ("thank you so much :)", "w1.thanks"),
        ("exactly", "w1.agreement"), ("i agree, it is", "w1.agreement"), ("that's true.", "w1.agreement"),
        ("what do you mean?", "w1.confusion"), ("that makes no sense", "w1.confusion"),
        ("boring", "w1.dismissal"), ("so what?", "w1.dismissal"), ("that's rude.", "w1.offence"),
        ("what?", None), ("hi", None), ("ahhh", None), ("he has to go", None), ("thanks for chatting", None),
        ("true?", None), ("i agreed to become his butler", None), ("shampoo", None), ("that's mean to say", None),
        (None, None),
    ],
)  # fmt: skip
def test_the_next_message_is_read_by_the_first_rule_that_fits(answer: str | None, rule: str | None) -> None:
    (found,) = add_weak_reactions(answered(answer)).to_dicts()
    assert found["weak_rule"] == rule
    expected = next(((r.label, r.weight) for r in RULES if r.id == rule), (None, None))
    assert (found["weak_reaction"], found["weak_weight"]) == expected


def test_rules_are_versioned_and_weighted() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.id.startswith(f"w{RULES_VERSION}.") for rule in RULES)
    assert all(rule.label in REACTIONS and 0 < rule.weight <= 1 for rule in RULES)


@pytest.mark.parametrize(
    "pairs",
    [answered("haha", split="test"), answered("haha", split="validation"), answered("haha", reaction="downvote")],
)
def test_never_outside_training_and_never_over_an_explicit_reaction(pairs: pl.DataFrame) -> None:
    found = add_weak_reactions(pairs)
    assert (
        found["weak_rule"].to_list() == found["weak_reaction"].to_list() == found["weak_weight"].to_list() == [None]
    )


def test_the_report_holds_laughter_against_explicit_laughter() -> None:
    pairs = pl.concat(
        [answered("haha", "no", None, reaction="funny"), answered("lol", "ok"), answered("haha", split="test")]
    )
    report = weak_report(add_weak_reactions(pairs))
    assert report["rules"]["w1.laughter"]["pairs"] == {"test": 0, "train": 1}
    assert report["laughter"] == [{"source": "s", "pairs": 5, "funny": 3, "found": 2, "both": 1}]


def clean() -> list[dict[str, Any]]:
    return [
        {
            "pair_id": f"c{n}/0/1", "conversation_id": f"c{n}", "split": split, "context": ["hi", "secret words"],
            "context_own": [True, False], "reply": "fine", "reaction": None,
            "weak_reaction": "funny" if split == "train" else None, "distractors": ["no", "yes"] if n else [],
        }
        for n, split in enumerate(["train", "validation", "test"])
    ]  # fmt: skip


def table_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    table = pl.DataFrame(rows, schema_overrides={"reaction": pl.String, "weak_reaction": pl.String})
    return table.with_columns(started_at=datetime(2024, 1, 1, tzinfo=UTC))


def test_good_pairs_hold_to_every_rule_and_the_facts_hold_no_text() -> None:
    report = check_pairs(open_context(), table_of(clean()), set())
    assert report["success"]
    assert len(report["rules"]) == 13
    assert "secret words" not in json.dumps(report) + str(facts(table_of(clean()), set()).to_dicts())


@pytest.mark.parametrize(
    ("rule", "row", "values"),
    [
        ("pair_unique", 1, {"pair_id": "c0/0/1"}),
        ("split_known", 1, {"split": "dev"}),
        ("one_split", 1, {"conversation_id": "c0"}),
        ("context_present", 1, {"context": [], "context_own": []}),
        ("no_own_left_out", 1, {"context_own": [True]}),
        ("no_own_left_out", 2, {"context_own": [True, None]}),
        ("context_filled", 1, {"context": ["hi", " "]}),
        ("reply_filled", 1, {"reply": "\n"}),
        ("reaction_known", 1, {"reaction": "meh"}),
        ("weak_reaction_known", 0, {"weak_reaction": "meh"}),
        ("no_weak_outside_training", 2, {"weak_reaction": "funny"}),
        ("no_weak_and_explicit", 0, {"reaction": "love"}),
        ("no_gold_among_distractors", 1, {"distractors": ["no", "Fine "]}),
    ],
)
def test_each_rule_stops_what_it_is_there_for(rule: str, row: int, values: dict[str, Any]) -> None:
    rows = clean()
    rows[row] |= values
    with pytest.raises(DataError, match=rf"\n{rule}: expected .*, got \d") as caught:
        check_pairs(open_context(), table_of(rows), set())
    assert str(caught.value).count(": expected") == 1
    assert "secret words" not in str(caught.value)


def test_a_conversation_that_repeats_another_stops() -> None:
    with pytest.raises(DataError, match="no_copy: expected"):
        check_pairs(open_context(), table_of(clean()), {"c2"})
