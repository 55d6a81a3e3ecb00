"""The lexicon: which words are names, by the packaged lists and by how a corpus writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.anonymize.lexicon import (
    FOLDER,
    WORD,
    WordUsage,
    is_capitalised,
    key,
    opens_sentence,
    packaged,
)
from stages.anonymize.lexicon import write_list as write
from stages.common.words import read_list


def test_words_have_two_letters_and_no_contraction() -> None:
    assert WORD.findall("I don't know Jerry's 2nd x2 O'Brien’s, Émile!") == ["know", "Jerry", "Brien", "Émile"]


@pytest.mark.parametrize("word", ["Kendra", "McCook", "Émile", "Ng", "Łukasz", "Юрий"])
def test_a_capital_with_small_letters_behind(word: str) -> None:
    assert is_capitalised(word)


@pytest.mark.parametrize("word", ["HELLO", "hello", "TVs", "PhD", "iPhone", "名前"])
def test_no_capital_or_an_abbreviation(word: str) -> None:
    assert not is_capitalised(word)


@pytest.mark.parametrize(
    ("text", "opens"),
    [("Ann", True), ("hi Ann", False), ("Yes. Ann", True), ("-Ann", True), ("hi, Ann", False), ("a:  Ann", True)],
)
def test_where_any_word_is_capitalised(text: str, opens: bool) -> None:
    *_, last = WORD.finditer(text)
    assert opens_sentence(text, last) is opens


def test_keys_make_spellings_equal() -> None:
    assert key("Émile") == key("EMILE") == key("E\u0301mile") == "emile"


@pytest.mark.parametrize("word", ["Kendra", "Johanna", "McCook", "Łukasz"])
def test_unknown_capitalised_words_are_name_like(word: str) -> None:
    assert packaged().is_name_like(word)


@pytest.mark.parametrize("word", ["Hello", "HELLO", "Hahahah", "Hhahaha", "Mmmm", "Pfft", "Noooo", "Mark", "Paris"])
def test_common_words_interjections_and_ambiguous_names_are_not(word: str) -> None:
    assert not packaged().is_name_like(word)


def test_packaged_words_are_of_one_kind() -> None:
    lexicon = packaged()
    assert not lexicon.common & lexicon.often_names
    for names in (lexicon.first_names, lexicon.rare_first_names, lexicon.common_surnames):
        assert not names & (lexicon.often_names | lexicon.seldom_names)
    assert lexicon.seldom_names <= lexicon.common
    assert {"jessica", "mehmet"} <= lexicon.first_names
    assert {"mark", "rose"} & lexicon.often_names
    assert "will" in lexicon.seldom_names
    assert {"hello", "google", "korean", "uranus"} <= lexicon.common


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_packaged_lists_are_sorted_keys_and_described(path: Path) -> None:
    words = path.read_text(encoding="utf-8").splitlines()
    assert words == sorted({key(word) for word in words})
    assert f"`{path.name}`" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_written_lists_read_back(tmp_path: Path) -> None:
    write(tmp_path / "list.txt", ["b", "a", "b"])
    assert (tmp_path / "list.txt").read_text() == "a\nb\n"
    assert read_list(tmp_path / "list.txt") == {"a", "b"}


def test_a_corpus_has_common_words_of_its_own() -> None:
    conversations = [
        *[["well trek and zarp", "Trek trek"]] * 19,
        *[["I met Aardwolf"]] * 21,
        *[["aardwolf jessica zorp"]] * 20,
    ]
    usage = WordUsage.of(conversations[:30])
    usage += WordUsage.of([["Trek! TREK trek"], *conversations[30:]])
    assert "trek" in usage.common()  # the capital at the start of a text does not count
    assert "zarp" not in usage.common()  # too few conversations
    assert "aardwolf" not in usage.common()  # more conversations capitalise it
    lexicon = packaged().with_common(usage.common())
    assert "trek" in lexicon.common
    assert "jessica" not in lexicon.common  # a first name stays one
    assert "zorp" in usage.common()
    assert "zorp" not in lexicon.common  # no dictionary knows it: it may be whom all talk about


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=12))
def test_no_frequency_makes_a_word_common_that_no_dictionary_knows(word: str) -> None:
    usage = WordUsage.of([[f"my name is {word}, says {word}"]] * 1_000)
    common = packaged().with_common(usage.common()).common
    assert word not in common or word in packaged().dictionary or word in packaged().common


@pytest.mark.parametrize(("stretched", "word"), [("jessicaaaa", "jessica"), ("soooo", "so")])
def test_stretched_words_are_read_as_what_they_are(stretched: str, word: str) -> None:
    assert packaged().read(stretched) == word


def test_an_unknown_stretched_word_stays_as_it_is() -> None:
    assert packaged().read("zorppppp") == "zorppppp"
