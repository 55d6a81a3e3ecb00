"""Participants: whoever an export knows is masked in what is said, in any case, whole and by part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.anonymize.engine import detect, prepare
from stages.anonymize.lexicon import packaged
from stages.anonymize.participants import MANY, Participants, erased_names, read_participants
from stages.common.errors import DataError
from stages.common.messages import ERASED, PARTICIPANTS

#: Of ten cultures, none of them an English word.
NAMES = (
    "Wuya Tanko", "Bartek Żukowy", "Chukwuemeka Okonkwo", "Xiaoming Zhang", "Venkatesh Subramanian",
    "İbrahim Yıldız", "Nguyễn Thị Khai", "Aðalbjörg Jónsdóttir", "Kailani Mahoe", "Oyelaran Adébáyò",
    "Siobhan Ó Cuív", "Наталья Иванова",
)  # fmt: skip


def masked(
    texts: Sequence[str], names: Sequence[str] = (), erased: Sequence[str] = (), source: str = "whatsapp"
) -> list[list[str]]:
    known = Participants({f"{source}/1": names}, erased)
    searches = [known.mentions(f"{source}/1", packaged())]
    (found,) = detect(prepare([texts], packaged()), packaged(), 16, searches)
    return [[text[span.start : span.end] for span in spans] for text, spans in zip(texts, found, strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_a_participant_is_masked_whole_and_by_part_in_any_case(name: str) -> None:
    first, *_, last = name.split()
    texts = [
        f"yes {first.lower()} i am here",
        f"{last.lower()}, be quiet",
        f"so says {name.lower()}",
        f"_{first}_ !",
    ]
    assert masked(texts, [name]) == [[first.lower()], [last.lower()], [name.lower()], [first]]


@given(
    st.sampled_from(NAMES),
    st.sampled_from(["yes {} i am", "{}, be quiet", "tell {}", "@{} come", "_{}_", "{}s cat"]),
)
def test_no_part_of_a_name_stays_readable(name: str, sentence: str) -> None:
    for part in name.split():
        if len(part) > 1:
            for spelled in (part, part.lower(), part.upper()):
                text = sentence.format(spelled)
                (found,) = masked([text], [name])
                assert any(spelled in hit for hit in found), (text, found)


def test_a_name_keeps_its_s_outside_of_the_slot() -> None:
    assert masked(["i ate wuyas bread"], ["Wuya Tanko"]) == [["wuya"]]


@pytest.mark.parametrize(
    "text",
    [
        "I asked Mango", "@mango are you there", "says mango", "tell mango to come", "mango is hungry", "yes mango",
        "where is mango?", "thanks mango", "Sleepy Mango left", "says sleepy mango", "_mango_ wins", "hey Mango",
    ],
)  # fmt: skip
def test_a_nickname_that_is_a_word_is_masked(text: str) -> None:
    (found,) = masked([text], ["Sleepy Mango"])
    assert any("mango" in hit.lower() for hit in found)


@pytest.mark.parametrize(
    "text", ["i ate a mango", "the mango was sweet", "my mango tree", "i hope so", "we hope you win"]
)
def test_a_nickname_does_not_hide_the_word(text: str) -> None:
    assert masked([text], ["Sleepy Mango", "Hope"]) == [[]]


def test_words_that_name_nobody_stay() -> None:
    texts = ["the mum of all parties", "what is this", "my mum is here", "me too"]
    assert masked(texts, ["Mum", "The One", "It's Me"]) == [[], [], [], []]
    assert masked(["I told Mum about it", "@mum look"], ["Mum"]) == [["Mum"], ["@mum"]]


def test_an_account_is_masked_as_it_is_spelled() -> None:
    assert masked(["ask x_90 or X_90", "x 90"], ["x_90"]) == [["x_90", "X_90"], []]


def test_letters_of_a_random_id_are_no_name() -> None:
    assert masked(["where is the dba team, bdf?"], ["9dba3bdf7"], ["4bdf9"]) == [[]]
    assert masked(["yes mateusz", "and mateusz_90"], ["mateusz_90"]) == [["mateusz"], ["mateusz_90"]]


def test_opaque_ids_hide_no_words() -> None:
    assert masked(["the waitress came", "ok user"], ["waitress", "user"], source="native") == [[], []]
    assert masked(["yes wuya"], ["wuya"], source="native") == [["wuya"]]


def test_many_names_hide_words_only_where_something_says_so() -> None:
    names = ["Blue", *(f"zorp{n}x" for n in range(MANY))]
    assert masked(["blue is nice", "I asked Blue", "tell blue"], names) == [[], ["Blue"], ["blue"]]


def test_erased_people_are_masked_in_all_conversations_where_something_names_them() -> None:
    texts = ["wuya tanko owes me", "I met Wuya", "tell wuya", "@tanko hi", "says tanko"]
    assert masked(texts, erased=["Wuya Tanko"]) == [["wuya tanko"], ["Wuya"], ["wuya"], ["@tanko"], ["tanko"]]
    assert masked(["what wuya means in hausa"], erased=["Wuya Tanko"]) == [[]]


def test_thousands_of_names_take_linear_time() -> None:
    # A regular expression of 8,000 alternatives took seconds; the search goes word by word, whatever their number.
    names = [f"{a}{b}zorp {a}q{b}" for a in "bcdfghjklm" * 8 for b in map(str.__mul__, "aeiou" * 20, range(1, 101))]
    found = Participants({"discord/1": names}).mentions("discord/1", packaged())
    assert [s.start for s in found.find(f"ask {names[-1]} now", packaged())] == [4]


def test_files_are_read_by_conversation_and_erased_people_by_the_names_of_their_ids(tmp_path: Path) -> None:
    rows = [
        ("telegram", "telegram/1", "user1", "Wuya"), ("telegram", "telegram/1", "user2", "Tanko"),
        ("telegram", "telegram/2", "user3", "Kolo"),
    ]  # fmt: skip
    pl.DataFrame(rows, PARTICIPANTS, orient="row").write_parquet(tmp_path / "people.parquet")
    pl.DataFrame([("telegram", "user3", 1)], ERASED, orient="row").write_parquet(tmp_path / "erased.parquet")
    erased = erased_names(tmp_path / "people.parquet", tmp_path / "erased.parquet")
    assert erased == ["Kolo", "user3"]
    found = read_participants(tmp_path / "people.parquet", ["telegram/1"], erased)
    assert found == Participants({"telegram/1": {"Wuya", "Tanko"}}, ["Kolo", "user3"])


def test_a_table_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "people.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="expected a table of participants"):
        read_participants(tmp_path / "people.parquet", ["telegram/1"])
