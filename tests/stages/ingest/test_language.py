"""Language: told from whole conversations, by a packaged model, and only where it can be told."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from stages.common.messages import Message
from stages.ingest.chunks import message_table
from stages.ingest.language import conversation_languages, languages
from stages.ingest.readers import chitchat
from stages.ingest.selection import select_messages

TALK = {
    "en": "hey how are you\ngood you?\nyeah just got home from work\nwanna get food later",
    "de": "hallo wie gehts dir\nja gut und selbst\nalles klar bis morgen dann\nwas machst du am wochenende?",
    "fr": "salut ça va ?\noui et toi ?\nje suis au boulot la\nok on se voit ce soir",
    "es": "hola que tal\nbien y tu\nque haces hoy\nnada aqui en casa jaja",
    "pl": "cześć co tam\nnic ciekawego a u ciebie\njestem w domu\nto do jutra",
    "ru": "привет как дела\nнормально а у тебя\nчто делаешь\nничего дома сижу",
    "ar": "مرحبا كيف حالك\nبخير وانت\nماذا تفعل اليوم",
    "ja": "こんにちは元気ですか\nはい元気です\n今日は何をしていますか",
}


def table(**talks: str) -> pl.DataFrame:
    sent_at = datetime(2024, 5, 1, tzinfo=UTC)
    lines = [(name, line) for name, talk in talks.items() for line in talk.split("\n")]
    messages = [Message("a", n, name, str(n), "Ann", sent_at, line) for n, (name, line) in enumerate(lines)]
    return message_table("native", messages, 0)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_conversations_of_several_languages_are_told() -> None:
    assert languages(TALK.values()) == list(TALK)


@pytest.mark.parametrize(
    "text",
    ["", "ok", "lol\nhaha\nok\nlmao", "👍👍👍", "https://example.org/guten-morgen-wie-geht-es-dir", "7" * 99],
)
def test_what_is_too_short_is_not_guessed(text: str) -> None:
    assert languages([text]) == [None]


def test_shouting_is_english_too() -> None:
    assert languages(["HELLO HOW ARE YOU\nI AM FINE WHAT ARE YOU DOING TODAY"]) == ["en"]


def test_a_conversation_is_judged_as_one() -> None:
    # No line of it could be told alone, and one foreign line in it changes nothing.
    found = conversation_languages(table(a=TALK["en"] + "\ngenau", b="ok\nja", c=TALK["en"] + "\nאני כאן"))
    assert dict(found.iter_rows()) == {"native/a": "en", "native/b": None, "native/c": "en"}


def test_other_languages_are_dropped_whole_and_unknown_ones_stay() -> None:
    settled = select_messages(table(**TALK, x="ok\nlol"), ["en", "fr"])
    assert settled.messages["conversation_id"].unique(maintain_order=True).to_list() == [
        "native/en", "native/fr", "native/x",
    ]  # fmt: skip
    dropped = dict(settled.foreign.group_by("language").len().iter_rows())
    assert dropped == {name: talk.count("\n") + 1 for name, talk in TALK.items() if name not in ("en", "fr")}
    assert dict(settled.conversations.select("language", "source").iter_rows()).keys() == {"en", "fr", None}


def test_almost_no_packaged_english_conversation_is_dropped() -> None:
    rows = [(m.conversation_id, m.text) for m in chitchat.read(Path()) if isinstance(m, Message)]
    found = conversation_languages(pl.DataFrame(rows, schema=["conversation_id", "text"], orient="row"))
    decided = found["language"].drop_nulls()
    assert len(decided) > 5_000
    assert (decided != "en").sum() <= 1  # one is half Spanish


def test_placeholders_are_no_prose_in_whatever_language() -> None:
    lines = ["see you at eight", "which film is it", "the one with the dog", "bring a ticket"]
    placeholder = "<Medien ausgeschlossen oder nicht mehr vorhanden>"
    assert languages(["\n".join([*[placeholder] * 8, *lines])]) == ["en"]
    assert languages(["\n".join([placeholder] * 8)]) == [None]
    assert languages(["\n".join(f"{line} <Diese Nachricht wurde bearbeitet.>" for line in lines)]) == ["en"]
