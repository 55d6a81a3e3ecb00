"""Names: the gate, the rules by which a word is a name, and how far a name goes."""

from __future__ import annotations

import pytest

from stages.anonymize.lexicon import packaged
from stages.anonymize.names import find, may_hold_name
from stages.anonymize.recognizer import Entity, recognize
from stages.anonymize.spans import resolve


def entities(text: str, surface: str, label: str) -> list[Entity]:
    start = text.index(surface)
    return [Entity(start, start + len(surface), label)]


def names(text: str, tagged: list[Entity] | None = None) -> list[str]:
    return [text[s.start : s.end] for s in resolve(find(text, tagged or [], packaged()))]


@pytest.mark.parametrize("text", ["so I told Kendra's mother", "I asked Mark about it", "Zorpina!"])
def test_the_gate_opens_for_what_may_be_a_name(text: str) -> None:
    assert may_hold_name(text, packaged())


@pytest.mark.parametrize("text", ["Hello! Don't you know I'm in THE zone", "two TVs", "jessica", "Hahahaha Google"])
def test_the_gate_stays_shut_for_the_rest(text: str) -> None:
    assert not may_hold_name(text, packaged())


@pytest.mark.parametrize(
    ("text", "rule", "name"),
    [
        ("jessica is here", "list", "jessica"),
        ("where is jessica's", "list", "jessica"),
        ("look at jessicas cat", "list.possessive", "jessicas"),
        ("whats zorpinas number", "list.possessive", "zorpinas"),
        ("My name is Will", "introduced", "Will"),
        ("just call me zorpo", "introduced", "zorpo"),
        ("Mrs. Zorpo left", "introduced", "Zorpo"),
        ("I saw Zorpo there", "capital", "Zorpo"),
        ("talked to zorpo", "cue", "zorpo"),
        ("hey zorpo", "cue", "zorpo"),
        ("thanks for the pizza, zorpo", "cue", "zorpo"),
        ("hiii its mark", "cue", "mark"),
        ("roommate: zorpo", "cue", "zorpo"),
        ("who's driving? zorpo?", "cue", "zorpo"),
        ("my sister zorpo", "cue", "zorpo"),
        ("zorpo said no", "cue", "zorpo"),
        ("between us, zorpo got fired", "cue", "zorpo"),
        ("give zorpo a hug", "cue", "zorpo"),
        ("zorpo!!!! come here", "cue", "zorpo"),
        ("jessica and zorpo", "joined", "zorpo"),
        ("zorpo, zelpo & jessica", "strange", "zelpo"),
        ("Tüzeer w. dropped out", "cue", "Tüzeer"),
        ("dr da zorpo is here", "introduced", "da zorpo"),
        ("im Virginia, nice to meet you", "introduced", "Virginia"),
        ("Grace called me", "cue", "Grace"),
        ("my gf hope", "cue", "hope"),
        ("call me hope", "introduced", "hope"),
        ("my name is mango", "introduced", "mango"),
        ("remind zorpina", "strange", "zorpina"),
        ("zorpina lives there", "strange", "zorpina"),
        ("zorpina, come", "strange", "zorpina"),
        ("whats zorpina's number", "strange", "zorpina"),
        ("JESSICA_ZORPO", "list", "JESSICA_ZORPO"),
        ("jessicaaaa", "list", "jessicaaaa"),
        ("so gladForMateusz", "glued", "gladForMateusz"),
    ],
)
def test_rules(text: str, rule: str, name: str) -> None:
    found = [(span.rule, text[span.start : span.end]) for span in find(text, [], packaged())]
    assert (f"name.{rule}", name) in found


@pytest.mark.parametrize(
    "text",
    [
        "my friend will come", "mark my words", "a rose is a rose", "I love Google", "my sister is korean",
        "from San Francisco", "in Mount Jessica", "at Jessica University", "in Scotland", "Philippines",
        "Uranus and Pluto", "I saw the Zorpo", "two TVs and a PhD", "zorpo is nice", "thanks for the pizza",
        "Hahaha", "", "King of pop", "in Sao Paulo", "Just called him", "call me later",
        "my friend said", "with freinds", "about becuase", "with ASDF", "my brother kick me", "Hope you are fine",
    ],
)  # fmt: skip
def test_words_that_are_no_names(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("jessica zorpo left", ["jessica zorpo"]),
        ("Jessica van der Zorpo left", ["Jessica van der Zorpo"]),
        ("Jessica left", ["Jessica"]),
        ("Anne-Marie O'Zorp", ["Anne-Marie O'Zorp"]),
        ("jessica. zorpo", ["jessica"]),
        ("Jessica zorpo", ["Jessica"]),
        ("jessica baker", ["jessica baker"]),
    ],
)
def test_names_run_on_over_surnames(text: str, found: list[str]) -> None:
    assert names(text) == found


def test_what_the_recogniser_tags_is_cut_into_names() -> None:
    text = "we saw George. Jerry Seinfeld's"
    assert names(text, entities(text, "George. Jerry Seinfeld's", "PERSON")) == ["George", "Jerry Seinfeld"]
    text = "Hello wbu"
    assert names(text, entities(text, "Hello wbu", "PERSON")) == []


def test_what_the_recogniser_takes_for_a_thing_is_none_unless_joined_to_a_name() -> None:
    text = "I saw Zorpo"
    assert names(text, entities(text, "Zorpo", "ORG")) == []
    text = "congrats Jessica & Zorpo"
    assert names(text, entities(text, "Jessica & Zorpo", "ORG")) == ["Jessica", "Zorpo"]


def test_the_packaged_recogniser_finds_people() -> None:
    texts = ["Yesterday I talked to Kendra Lowe about it.", "", "We flew to London on Monday."]
    first, second, third = recognize(texts, batch_size=2)
    assert ("PERSON", "Kendra Lowe") in [(e.label, texts[0][e.start : e.end]) for e in first]
    assert second == []
    assert {e.label for e in third} >= {"GPE"}


def test_the_recogniser_sees_a_long_text_in_pieces() -> None:
    text = "and so on " * 2_500 + "I talked to Kendra Lowe about it."
    (found,) = recognize([text], batch_size=2)
    assert "Kendra Lowe" in [text[e.start : e.end] for e in found if e.label == "PERSON"]


def test_nothing_to_recognise() -> None:
    assert recognize([], batch_size=2) == []
