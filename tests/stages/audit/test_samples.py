"""Samples of the generator: what one person alone said is found, what several said or nobody learnt is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.audit.samples import FAULTS, judge_samples, slot_places, telling_spans
from stages.common.words import human_claims
from tests.stages.audit.test_stage import messages

ANN, BOB, EVE = ("a" * 16, "b" * 16, "c" * 16)
LONG = "I once swam across the whole lake at night and back"
#: Who said what in which split.
SAID = [
    (ANN, "train", LONG),
    (ANN, "train", "My sister has 14 cats"),
    (BOB, "train", "i have a dog"),
    (EVE, "test", "We walked along the old canal until the morning came"),
    *((who, "train", "My name is <PERSON_1>") for who in (ANN, BOB, EVE)),
    *((ANN, "train", f"{greeting} my name is <PERSON_2>") for greeting in ("hi", "hello", "hey")),
]


def judged(
    tmp_path: Path, texts: Sequence[str], *more: tuple[str, str, str], public: bool = True
) -> dict[str, Any]:
    said = [*SAID, *more]
    messages(tmp_path / "messages", [("native", who, text) for who, _, text in said])
    rows = [("native", who, "user", split, text) for who, split, text in said]
    pairs = pl.DataFrame(rows, schema=["source", "sender", "role", "split", "reply"], orient="row")
    samples = pl.DataFrame({"source": "native", "text": list(texts), "is_public": public})
    return judge_samples(samples, tmp_path / "messages", pairs)


def faults(tmp_path: Path, text: str, *more: tuple[str, str, str]) -> set[str]:
    return {fault for fault, count in judged(tmp_path, [text], *more)["after"].items() if count}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("well, i ONCE swam across the whole lake at", "long_spans"),
        ("she has 14 cats!", "telling_spans"),
        ("ask my sister, has she", "telling_spans"),
        ("My name is Ottoline", "names"),
        ("oh, my name is ottoline too", "names"),
        ("my name is <PERSON_3>", "slots"),
        ("it is person_3 again", "slots"),
        ("and <PERSON", "slots"),
        ("But I'm a human!", "human"),
        ("no, I am not a bot", "human"),
    ],
)
def test_what_must_not_be_said_is_found(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, text) == {fault} if fault != "telling_spans" else fault in faults(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "i once swam across the whole lake",  # seven words
        "my name is hope",  # a word
        "I am humane",
        "my sister likes cats",  # nobody said it
        "we walked along the old canal until the morning",  # somebody, whom the generator never met
        "",
    ],
)
def test_what_nobody_or_no_teacher_of_it_said_is_no_memory(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text) == set()


def test_what_two_people_said_is_no_secret(tmp_path: Path) -> None:
    assert faults(tmp_path, LONG) == {"long_spans"}


def test_what_two_people_said_is_no_secret_wherever_the_second_said_it(tmp_path: Path) -> None:
    assert faults(tmp_path, LONG, (BOB, "test", f"{LONG}!")) == set()


def test_before_and_after_the_bundles_filter_are_counted_apart(tmp_path: Path) -> None:
    report = judged(tmp_path, [LONG, "hello", "i am human"], public=False)
    assert (report["samples"], report["withheld"]) == (3, 3)
    assert report["before"] == {**dict.fromkeys(FAULTS, 0), "long_spans": 1, "human": 1}
    assert sum(report["after"].values()) == 0


def test_people_who_were_not_learnt_from_are_the_measure_of_chance(tmp_path: Path) -> None:
    more = ((EVE, "test", f"so {LONG}, really"), (BOB, "train", "something else"))
    assert judged(tmp_path, ["hello"] * 9)["held_out"]["long_spans"] == 0
    (tmp_path / "again").mkdir()
    # Two people have said it now, so that it is nobody's own.
    assert judged(tmp_path / "again", ["hello"] * 9, *more)["held_out"]["long_spans"] == 0


def test_a_report_repeats_nothing(tmp_path: Path) -> None:
    assert "lake" not in str(judged(tmp_path, [LONG]))


def test_a_slots_place_is_where_a_slot_mostly_stands() -> None:
    texts = ["my name is <PERSON_1>"] * 5 + ["this is fine"] * 9 + ["I like <PERSON_1>"] * 4
    assert slot_places(texts) == {("name", "is")}
    assert slot_places([*texts, *["the name is odd"] * 6]) == set()


def test_numbers_and_kin_tell_and_other_words_do_not() -> None:
    assert list(telling_spans("I have two sweet dogs")) == ["i have two", "have two sweet", "two sweet dogs"]
    assert list(telling_spans("I have one of those")) == []
    assert list(telling_spans("my mum")) == []


def test_claims_are_canonical_words() -> None:
    assert len(human_claims()) > 30
    assert all(claim == " ".join(claim.casefold().split()) and "'" not in claim for claim in human_claims())
