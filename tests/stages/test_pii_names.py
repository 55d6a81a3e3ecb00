"""Names: the gate, cutting what was tagged into names, and finding them again."""

from __future__ import annotations

import pytest

from stages.pii.names import NameFinder, common_words, is_name_like, may_hold_name, recognize, split_names

COMMON = frozenset({"will", "hello", "the", "may", "so"})


def mentions(names: list[str], text: str) -> list[str]:
    finder = NameFinder.of(names, COMMON)
    assert finder is not None
    return [text[span.start : span.end] for span in finder.find(text)]


def test_common_words_are_those_usually_written_small() -> None:
    texts = ["Hello there", *["well hello"] * 12, *["I met Rose"] * 11, *["a rose"] * 10, "I said Hello", "kendra"]
    common = common_words(texts)
    assert "hello" in common  # the capital at the start of a text does not count
    assert "rose" not in common
    assert "kendra" not in common  # seen small, but too rarely to tell


@pytest.mark.parametrize("word", ["HELLO", "hello", "Hello", "Hahahah", "Hhahaha", "Mmmm", "Pfft", "Noooo"])
def test_shouts_small_words_and_interjections_are_not_name_like(word: str) -> None:
    assert not is_name_like(word, COMMON)


@pytest.mark.parametrize("word", ["Kendra", "McCook", "Émile", "Johanna", "Ng", "Łukasz", "Юрий"])
def test_names_are_name_like(word: str) -> None:
    assert is_name_like(word, COMMON)


def test_the_gate_opens_for_name_like_words_only() -> None:
    assert may_hold_name("so I told Kendra's mother", COMMON)
    assert not may_hold_name("Hello! Don't you know I'm in THE zone", COMMON)


@pytest.mark.parametrize(
    ("surface", "names"),
    [
        ("George. Jerry Seinfeld's", ["George", "Jerry Seinfeld"]),
        ("Will Smith", ["Will Smith"]),
        ("Jean-Paul", ["Jean-Paul"]),
        ("Hello", []),
        ("will", []),
        ("Kendra wbu", ["Kendra"]),
    ],
)
def test_tagged_surfaces_are_cut_into_names(surface: str, names: list[str]) -> None:
    assert split_names(surface, COMMON) == names


def test_names_are_found_whole_in_any_case_and_by_their_parts() -> None:
    assert mentions(["Jerry Seinfeld"], "JERRY! jerry  seinfeld's car, Seinfeld, jerrycan") == [
        "JERRY",
        "jerry  seinfeld",
        "Seinfeld",
    ]


def test_a_common_word_is_a_name_only_capitalised_inside_a_sentence() -> None:
    assert mentions(["Will Smith"], "Will you? I said Will. Will smith.") == ["Will", "Will smith"]
    assert mentions(["Will Smith"], "Will you? He will. Will he? WILL HE") == []


def test_no_names_no_finder() -> None:
    assert NameFinder.of([], COMMON) is None


def test_the_packaged_recogniser_finds_people_and_the_gate_filters_it() -> None:
    texts = ["Yesterday I talked to Kendra Lowe about it.", "Hello", "We flew to London on Monday."]
    found = list(recognize(texts, COMMON, batch_size=2))
    assert found == [["Kendra Lowe"], [], []]
