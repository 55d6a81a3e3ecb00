"""The reply base: common in meaning, nobody's own, distinct."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rejoinder.parts.arrays import Vectors, unit_rows
from stages.base.meanings import distinct, people_near
from stages.base.personal import is_personal
from stages.base.stage import COSINES, PEOPLE, Params, choose, coverage, well_formed

PARAMS = Params(people=2, near=0.7, same=0.95)


def unit(rows: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((rows, 6)).astype(np.float32)
    return unit_rows(vectors)


def test_people_are_counted_once_however_often_they_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.base.meanings._ROWS", 7)
    texts, turns = unit(20, 1), unit(200, 2)
    senders = np.random.default_rng(3).integers(0, 9, 200)
    found = people_near(texts, turns, senders, [0.3, 0.8])
    for column, cosine in enumerate((0.3, 0.8)):
        by_hand = [len(set(senders[(turns @ text) >= cosine])) for text in texts]
        assert found[:, column].tolist() == by_hand


def test_the_first_of_what_is_near_stays() -> None:
    vectors = np.array([[1, 0], [0.999, 0.04], [0, 1], [0.04, 0.999]], np.float32)
    assert distinct(vectors, 0.95).tolist() == [0, 2]
    assert distinct(vectors, 1.01).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "my mom is a nurse", "I have 12 siblings", "we live in Boston", "i'm 19", "I've been sober since May",
        "Yes, I love Zorblatt", "Do you like going to BYU", "i go to church", "I work at a bank", "our baby is six",
    ],
)  # fmt: skip
def test_statements_about_one_person(text: str) -> None:
    assert is_personal(text)


@pytest.mark.parametrize(
    "text", ["I love it!", "Where are you from?", "How old is your sister?", "I am so happy", "Me too"]
)
def test_what_anybody_could_say(text: str) -> None:
    assert not is_personal(text)


def candidates(*rows: tuple[str, int, int, int]) -> pl.DataFrame:
    data = [(text.lower(), text, *numbers) for text, *numbers in rows]
    return pl.DataFrame(data, schema=["key", "text", "senders", "count", "near"], orient="row")


def test_every_rule_takes_its_own() -> None:
    offered = candidates(
        ("That is so cool", 1, 1, 5), ("My mom is a nurse", 1, 1, 9), ("My mom is a teacher", 2, 2, 9),
        ("zork", 1, 1, 1), ("that is so cool!", 1, 1, 4),
    )  # fmt: skip
    vectors = np.eye(6, dtype=np.float32)[[0, 1, 2, 3, 0]]
    replies, left = choose(offered, vectors, PARAMS)
    assert left == {"uncommon": 1, "of_one_person": 1, "near_duplicates": 1}
    assert replies.rows() == [("My mom is a teacher", 9, 2), ("That is so cool", 5, 1)]


def test_the_best_formed_comes_first() -> None:
    texts = candidates(
        ("well said", 1, 1, 9), ("Well said.", 1, 1, 3), ("Well said", 1, 1, 9), ("Well put.", 1, 1, 4)
    )
    assert well_formed(texts)["text"].to_list() == ["Well put.", "Well said.", "Well said", "well said"]


def test_coverage_falls_as_rules_tighten() -> None:
    base, turns = unit(40, 1), unit(300, 2)
    near = people_near(base, turns, np.arange(300) % 11, COSINES)
    rows = coverage(near, base, unit(50, 5), 0.8)
    assert len(rows) == len(COSINES) * len(PEOPLE)
    for people in PEOPLE:
        of_people = [row for row in rows if row["people"] == str(people)]
        assert [row["size"] for row in of_people] == sorted((row["size"] for row in of_people), reverse=True)
        assert [row["covered"] for row in of_people] == sorted((row["covered"] for row in of_people), reverse=True)
