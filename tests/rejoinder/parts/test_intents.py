"""Intents as people write them: what cannot be used is one error that names files and intents and tells no text."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from rejoinder.errors import InputError
from rejoinder.parts.written_intents import TOO_LATE, Intent, read_intents
from tests.reach import ROOT

PHRASES = ["what is it", "tell me it", "say it", "and a secret phrase"]
ENTRY = {"intent": "asks-it", "phrases": PHRASES, "replies": ["I'm {name}."]}
NAME = {"name": "Remy"}


def written(folder: Path, *entries: Any, none: Any = None) -> Path:
    (folder / "some.yaml").write_text(yaml.safe_dump(list(entries)), encoding="utf-8")
    if none is not None:
        (folder / "none.yaml").write_text(yaml.safe_dump(none), encoding="utf-8")
    return folder


def test_the_characters_slots_are_filled_and_nobody_elses(tmp_path: Path) -> None:
    read = read_intents(written(tmp_path, ENTRY, none={"none": ["ask her"]}), NAME)
    assert read.intents[0].replies == ("I'm Remy.",)
    assert read.none == ("ask her",)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"phrases": []}, "phrases: expected at least 4, got 0"),
        ({"replies": []}, "replies: expected at least 1, got 0"),
        (
            {"replies": ["Hello <PERSON_1>."]},
            "reply 1: expected no slots but the character's ({name}), got another",
        ),
        ({"replies": ["I am {age}."]}, "reply 1: expected no slots but the character's"),
        ({"replies": ["x" * 300]}, "reply 1: expected one line of at most"),
        ({"intent": "Asks It"}, "intent: expected lower-case words"),
        ({"from": date(2026, 12, 26), "until": date(2026, 12, 24)}, "got a date that never comes"),
        ({"until": "soon"}, "expected dates such as"),
        ({"more": 1}, "expected the keys intent, phrases, replies"),
    ],
)
def test_what_cannot_be_used_is_one_error(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError) as caught:
        read_intents(written(tmp_path, {**ENTRY, **change}), NAME)
    assert f"some.yaml, intent 1: {named}" in str(caught.value) or named in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_stands_in_two_places_is_named(tmp_path: Path) -> None:
    twin = {**ENTRY, "intent": "asks-that"}
    with pytest.raises(InputError, match="a phrase stands in asks-it and in asks-that"):
        read_intents(written(tmp_path, ENTRY, twin), NAME)
    with pytest.raises(InputError, match=r"a phrase stands in asks-it and in none\.yaml"):
        read_intents(written(tmp_path, ENTRY, none={"none": ["Say IT"]}), NAME)
    with pytest.raises(InputError, match="intent asks-it: stands twice"):
        read_intents(written(tmp_path, ENTRY, {**ENTRY, "phrases": ["a b", "c d", "e f", "g h"]}), NAME)
    with pytest.raises(InputError, match="got none"):
        read_intents(written(tmp_path), NAME)


def test_an_intent_is_answered_from_its_first_day_to_its_last() -> None:
    feast = Intent("feast", ("a",), ("b",), date(2026, 12, 24), date(2026, 12, 26))
    days = {day: feast.is_active(date(2026, 12, day)) for day in (23, 24, 26, 27)}
    assert days == {23: False, 24: True, 26: True, 27: False}
    assert Intent("ever", ("a",), ("b",)).is_active(date.min)


def test_the_products_intents_can_be_used() -> None:
    read = read_intents(ROOT / "data" / "intents", NAME)
    assert len(read.intents) > 50
    assert [intent.name for intent in read.intents if not intent.phrases] == [TOO_LATE]
    assert not any("{" in reply for intent in read.intents for reply in intent.replies)
