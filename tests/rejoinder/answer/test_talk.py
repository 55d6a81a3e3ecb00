"""A talk in memory: turns and replies in order, other replies to the same turn, and a new beginning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rejoinder.answer.responder import Responder
from rejoinder.answer.talk import Talk
from rejoinder.dialogue import Turn
from rejoinder.errors import InputError
from rejoinder.parts import GENERATOR
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.trust import Trust
from tests.bundles import KEY, build_bundles, build_whole, pin
from tests.rejoinder.answer.speakers import Speaker, speaking


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> OpenRelease:
    bundles = build_whole(tmp_path_factory.mktemp("whole"))
    without = {kind: path for kind, path in bundles.items() if kind != GENERATOR.bundle}
    return open_release(pin(without), trust=Trust(KEY.parent))


def said(talk: Talk) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in talk.dialogue.turns]


def test_a_talk_is_its_turns_and_their_replies(whole: OpenRelease) -> None:
    talk = Talk(Responder(whole))
    assert talk.last is None
    first, second = talk.say("you know pizza"), talk.say("i like rain")
    assert talk.last is second
    assert said(talk) == [
        ("user", "you know pizza"),
        ("bot", first.text),
        ("user", "i like rain"),
        ("bot", second.text),
    ]
    assert second.text == Responder(whole).answer(talk.dialogue.__class__(talk.dialogue.turns[:-1])).text


def test_another_reply_takes_the_place_of_the_last_one(whole: OpenRelease) -> None:
    talk = Talk(Responder(whole))
    replies = [talk.say("you know pizza").text]
    fit = [c.text for c in talk.last.trace.candidates if c.dropped is None] if talk.last else []
    while (other := talk.again()) is not None:
        replies.append(other.text)
        assert said(talk) == [("user", "you know pizza"), ("bot", other.text)]
        assert talk.last is other
    assert replies == fit
    assert said(talk)[-1] == ("bot", fit[-1])
    assert talk.say("i like rain").text is not None


def test_another_reply_is_generated_anew(whole: OpenRelease) -> None:
    speaker = Speaker(["My cat feel rain, they miss hello."])
    talk = Talk(Responder(speaking(whole, speaker)), seed=7)
    talk.say("you know pizza")
    talk.again()
    talk.again()
    talk.say("i like rain")
    assert [call.seed for call in speaker.calls] == [7, 8, 9, 7]
    assert [len(call.turns) for call in speaker.calls] == [1, 1, 1, 3]


def test_there_is_no_other_reply_to_nothing(whole: OpenRelease) -> None:
    talk = Talk(Responder(whole))
    assert talk.again() is None
    talk.say("hi")
    talk.reset()
    assert (talk.again(), talk.last, talk.dialogue.turns) == (None, None, ())


def test_what_was_left_without_a_reply_is_one_turn_with_the_next(tmp_path: Path) -> None:
    talk = Talk(Responder(open_release(pin(build_bundles(tmp_path, replies=["Hello!"])))))
    assert talk.say("hello").text is None
    assert talk.again() is None
    assert talk.say("i like rain").text == "Hello!"
    assert talk.dialogue.turns[0] == Turn("user", "hello\ni like rain")


@pytest.mark.parametrize("text", ["", " \u200b "])
def test_nothing_is_no_turn(whole: OpenRelease, text: str) -> None:
    talk = Talk(Responder(whole))
    with pytest.raises(InputError, match="nothing to answer"):
        talk.say(text)
    assert talk.dialogue.turns == ()


def test_what_fails_is_said_by_whoever_failed(whole: OpenRelease) -> None:
    def fail(goes_on: Callable[[], bool]) -> Any:
        raise ZeroDivisionError

    talk = Talk(Responder(speaking(whole, Speaker(["so"], before=fail))))
    with pytest.raises(ZeroDivisionError):
        talk.say("you know pizza")
