"""Counts of words by hand: distinct, repeated, copied, and lengths that tell nothing."""

from __future__ import annotations

import pytest

from benchmarks.generator.wordings import copied, distinct, grams, length_matched, repeated


def test_distinct_counts_as_many_words_for_everybody() -> None:
    assert distinct(["a b a b"], 1, 4) == 0.5
    assert distinct(["a b a b"], 2, 4) == pytest.approx(2 / 3)
    assert distinct(["a b", "a b"], 2, 4) == 0.5  # no pair goes over the end of a text
    assert distinct(["a b c d e f"], 1, 3) == 1
    assert distinct(["a b"], 1, 3) is None


def test_distinct_falls_with_more_words_so_only_equal_numbers_compare() -> None:
    texts = ["well hello there"] * 10
    assert distinct(texts, 1, 3) == 1
    assert distinct(texts, 1, 30) == pytest.approx(0.1)


def test_what_is_repeated_is_within_the_reply_or_of_its_own_side() -> None:
    assert repeated("I do not know", []) == 0
    assert repeated("i do not know", ["well I do not know!"]) == 1
    assert repeated("no no no no no", []) == 0.5
    assert repeated("too short", ["too short"]) is None


def test_what_is_copied_stands_in_the_turns_of_the_other_side() -> None:
    assert copied("do you like my dog", ["do you like my cat"]) == 0.5
    assert copied("i like it", ["i like it"]) is None
    assert grams(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]


def test_lengths_are_matched_one_to_one() -> None:
    ours, theirs = [1, 2, 2, 5, 5, 5], [2, 5, 5, 9]
    mine, others = length_matched(ours, theirs)
    assert [ours[row] for row in mine] == [theirs[row] for row in others] == [2, 5, 5]
    assert len(set(mine)) == len(set(others)) == 3
    assert length_matched([1], [2]) == ([], [])
