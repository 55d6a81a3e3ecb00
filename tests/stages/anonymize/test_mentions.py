"""Mentions: the names of a conversation, wherever and however they are said again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.anonymize.lexicon import packaged
from stages.anonymize.mentions import Mentions
from stages.anonymize.same_person import same_person


def mentions(names: list[str], text: str) -> list[str]:
    found = Mentions()
    found.add_found(names, packaged())
    assert found is not None
    return [text[span.start : span.end] for span in found.find(text, packaged())]


def test_names_are_found_whole_in_any_case_and_by_their_parts() -> None:
    text = "KENDRA! kendra  lowejoy's car, Lowejoy, kendrawood"
    assert mentions(["Kendra Lowejoy"], text) == ["KENDRA", "kendra  lowejoy", "Lowejoy"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Will you? I said Will. Will smith.", ["Will", "Will smith"]),
        ("Will you? He will. Will he? WILL HE", []),
    ],
)
def test_a_common_word_is_a_name_only_capitalised_inside_a_sentence(text: str, found: list[str]) -> None:
    assert mentions(["Will Smith"], text) == found


def test_a_name_that_is_a_word_is_found_small_if_it_was_found_alone() -> None:
    assert mentions(["Mark"], "ask mark") == ["mark"]
    assert mentions(["Mark Zorp"], "ask mark") == []


def test_names_with_signs_of_patterns_are_found_as_they_are() -> None:
    assert mentions(["Zorp (Zelp"], "zorp (zelp zorp") == ["zorp (zelp", "zorp"]


def test_no_names_nothing_to_find() -> None:
    assert not Mentions()


def test_a_short_name_is_the_only_longer_one_that_holds_it() -> None:
    assert same_person(["ann", "ann lee", "bob"]) == {"ann": "ann lee"}
    assert same_person(["ann", "ann lee", "ann smith"]) == {}
    assert same_person(["ann", "ann lee", "ann mae lee"]) == {"ann": "ann mae lee", "ann lee": "ann mae lee"}
    assert same_person([]) == {}


@settings(max_examples=100)
@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map(" ".join), max_size=8))
def test_short_names_join_longest_ones_and_no_chain_is_left(names: list[str]) -> None:
    joined = same_person(names)
    assert not joined.keys() & set(joined.values())
    for short, longer in joined.items():
        assert set(short.split()) < set(longer.split())
        others = {other for other in names if set(short.split()) < set(other.split())}
        assert all(set(other.split()) <= set(longer.split()) for other in others)
