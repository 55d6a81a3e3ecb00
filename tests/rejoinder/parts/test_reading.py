"""What a ranker reads: whole turns, the last ones, and of each token whose it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from rejoinder.parts.reading import Reading, padded
from tests.bundles import WORDS, write_tokenizer

CLS, SEP = 2, 3


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """Ten tokens of a context, five of a reply."""
    write_tokenizer(tmp_path / "tokenizer.json")
    return Reading(tmp_path / "tokenizer.json", 10, 5)


def ids(text: str) -> list[int]:
    return [4 + WORDS.index(word) for word in text.split()]


def test_turns_are_joined_each_with_its_end(reading: Reading) -> None:
    found = reading.context(reading.turns(["I  like", "you know pizza"]), [True, False])
    assert found == (
        [CLS, *ids("i like"), SEP, *ids("you know pizza"), SEP],
        [1, 1, 1, 1, 0, 0, 0, 0],
    )


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        (["home", "i like", "you know pizza"], ["home", "i like", "you know pizza"]),  # all of ten tokens
        (["my home", "i like", "you know pizza"], ["i like", "you know pizza"]),
        (["hi", "they want my pizza home i like", "hello"], ["hello"]),  # what is older than a gap is left out
        (["hi", "they want my pizza home i like rain"], ["they want my pizza home i like rain"]),
    ],
)
def test_what_does_not_fit_is_cut_in_whole_turns_the_oldest_first(
    reading: Reading, turns: list[str], kept: list[str]
) -> None:
    own = [n % 2 == 0 for n in range(len(turns))]
    found, kinds = reading.context(reading.turns(turns), own)
    assert found == [CLS, *(token for turn in kept for token in (*ids(turn), SEP))]
    assert len(found) == len(kinds) <= 10
    last = own[-len(kept) :]
    lengths = [len(ids(turn)) + 1 for turn in kept]
    assert kinds == [int(last[0]), *(int(mine) for mine, n in zip(last, lengths, strict=True) for _ in range(n))]


def test_a_single_turn_that_is_too_long_loses_its_beginning(reading: Reading) -> None:
    words = "they want my pizza home i like rain you know music"
    found, kinds = reading.context(reading.turns([words]), [True])
    assert found == [CLS, *ids(words)[-8:], SEP]
    assert kinds == [1] * 10


def test_replies_stand_side_by_side_and_are_cut(reading: Reading) -> None:
    found = reading.replies(["home", "", "i like rain you know"])
    assert found.tolist() == [
        [CLS, *ids("home"), SEP, 0, 0],
        [CLS, SEP, 0, 0, 0],
        [CLS, *ids("rain you know"), SEP],
    ]
    assert reading.replies([]).shape == (0, 0)


def test_a_control_token_that_somebody_types_is_none(reading: Reading) -> None:
    assert CLS not in reading.turns(["[CLS] [SEP]"])[0][1:-1]
    assert 0 not in reading.turns(["[PAD]"])[0]


def test_the_vocabulary_is_the_tokenizers(reading: Reading) -> None:
    assert reading.vocabulary == len(WORDS) + 4


def test_rows_are_padded_to_the_longest() -> None:
    assert padded([[1], [], [2, 3]]).tolist() == [[1, 0], [0, 0], [2, 3]]
