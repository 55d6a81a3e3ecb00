"""Which candidates may not be said."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.answer.filters import ECHO_OVERLAP, ECHO_WORDS, Rules
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.errors import InputError
from rejoinder.parts.opened import OpenRelease
from rejoinder.text import normalize, words


def reason_as_it_was(reply: str, dialogue: Dialogue) -> str | None:
    """The rules as first written: a pair of texts at a time, each normalised whenever it is compared."""
    if not normalize(reply):
        return "empty"
    if _is_like_any(reply, dialogue.bot_texts()):
        return "repeat"
    if _is_like_any(reply, dialogue.texts):
        return "echo"
    return None


def _is_like_any(reply: str, turns: Iterable[str]) -> bool:
    said = set(words(reply))
    for turn in turns:
        others = set(words(turn))
        shared = len(said & others)
        if normalize(reply) == normalize(turn) or (said and said == others):
            return True
        if shared >= ECHO_WORDS and shared >= ECHO_OVERLAP * min(len(said), len(others)):
            return True
    return False


#: Few words in many spellings, so that texts are often alike; and any text at all.
SPELLINGS = ("a", "A", "ａ", "b", "c", "C!", "d", "e", "\u00df", "ss", "?", "?!", "\u200b", " ", "")
TEXTS = st.one_of(st.lists(st.sampled_from(SPELLINGS), max_size=8).map(" ".join), st.text(max_size=12))
DIALOGUES = st.lists(st.builds(Turn, st.sampled_from(("user", "bot")), TEXTS), min_size=1, max_size=6)


@given(turns=DIALOGUES, replies=st.lists(TEXTS, min_size=1, max_size=8))
def test_the_reasons_are_those_of_the_rules_as_first_written(turns: list[Turn], replies: list[str]) -> None:
    dialogue = Dialogue(tuple(turns))
    rules = Rules(dialogue)
    assert [rules.reason(reply, retrieved=False) for reply in replies] == [
        reason_as_it_was(reply, dialogue) for reply in replies
    ]


def test_an_answer_normalises_each_text_once(opened: OpenRelease, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = 0
    original = unicodedata.normalize

    def counting(form: Any, text: str) -> str:
        nonlocal passes
        passes += 1
        return original(form, text)

    dialogue = Dialogue.from_lines(["how are you", "you miss home", "they want pizza", "i like rain", "hi"] * 3)
    responder = Responder(opened)
    monkeypatch.setattr(unicodedata, "normalize", counting)
    encoding = 6  # at most: the look-ups in the cache, and the model
    candidates = len(responder.answer(dialogue).trace.candidates)
    assert 0 < passes / 2 <= len(dialogue.turns) + candidates + encoding
    passes = 0
    responder.answer(dialogue)  # the candidates are known by now
    assert 0 < passes / 2 <= len(dialogue.turns) + encoding


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        (" \u200b ", "empty"),
        ("I am fine thanks", "repeat"),
        ("thanks, i am FINE!", "repeat"),
        ("Tell me about your cat", "echo"),
        ("?!", "echo"),
        ("Sure, she is called Tilly", None),
        ("fine", None),
    ],
)
def test_reasons(reply: str, reason: str | None) -> None:
    dialogue = Dialogue.from_lines(["?!", "I am fine, thanks.", "tell me about your cat"])
    assert Rules(dialogue).reason(reply) == reason


@pytest.mark.parametrize(
    ("turn", "reply", "reason"),
    [
        ("What do you do for fun?", "What do you like to do for fun?", "echo"),
        ("hello, how are you?", "Hey! How are you today?", "echo"),
        ("Do you like pizza?", "Yes, I like pizza!", "echo"),
        ("Do you like pizza?", "Yes, I like it a lot!", None),
        ("I just got a new puppy!", "What kind of dog do you have?", None),
    ],
)
def test_a_turn_said_a_little_longer_is_an_echo(turn: str, reply: str, reason: str | None) -> None:
    assert Rules(Dialogue.from_lines([turn])).reason(reply) == reason


def test_what_was_written_for_such_a_turn_may_take_its_words_up() -> None:
    rules = Rules(Dialogue.from_lines(["happy birthday"]))
    assert rules.reason("A happy birthday?") == "echo"
    assert rules.reason("A happy birthday?", retrieved=False) is None
    assert rules.reason("Happy birthday!", retrieved=False) == "echo"


@given(turns=DIALOGUES, replies=st.lists(TEXTS, min_size=1, max_size=8))
def test_nothing_retrieved_that_shares_half_of_its_words_with_a_turn_is_left(
    turns: list[Turn], replies: list[str]
) -> None:
    dialogue = Dialogue(tuple(turns))
    rules = Rules(dialogue)
    for reply in replies:
        said = set(words(reply))
        halves = [len(said & set(words(turn.text))) >= len(said) / 2 for turn in turns if turn.speaker == "user"]
        if said and any(halves):
            assert rules.reason(reply) in ("repeat", "echo")


def test_the_last_line_is_the_users() -> None:
    dialogue = Dialogue.from_lines(["one\n", "\n", "two\n", "three\n"])
    assert dialogue.texts == ("one", "two", "three")
    assert dialogue.bot_texts() == ("two",)


def test_no_line_at_all() -> None:
    with pytest.raises(InputError):
        Dialogue.from_lines(["", " \n"])
