"""Which candidates may not be said."""

from __future__ import annotations

import pytest

from rejoinder.dialogue import Dialogue
from rejoinder.errors import InputError
from rejoinder.heuristics import reject_reason


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
    assert reject_reason(reply, dialogue) == reason


@pytest.mark.parametrize(
    ("turn", "reply", "reason"),
    [
        ("What do you do for fun?", "What do you like to do for fun?", "echo"),
        ("hello, how are you?", "Hey! How are you today?", "echo"),
        ("Do you like pizza?", "Yes, I like pizza!", None),
        ("I just got a new puppy!", "What kind of dog do you have?", None),
    ],
)
def test_a_turn_said_a_little_longer_is_an_echo(turn: str, reply: str, reason: str | None) -> None:
    assert reject_reason(reply, Dialogue.from_lines([turn])) == reason


def test_the_last_line_is_the_users() -> None:
    dialogue = Dialogue.from_lines(["one\n", "\n", "two\n", "three\n"])
    assert dialogue.texts == ("one", "two", "three")
    assert dialogue.bot_texts() == ("two",)


def test_no_line_at_all() -> None:
    with pytest.raises(InputError):
        Dialogue.from_lines(["", " \n"])
