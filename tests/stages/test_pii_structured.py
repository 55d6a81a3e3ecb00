"""Structured detectors: known forms with valid check digits, and the laws of spans."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.pii.slots import Slots
from stages.pii.spans import TYPES, Span, resolve
from stages.pii.structured import find, luhn, mod_97

SPANS = st.lists(
    st.builds(lambda a, n, t: Span(a, a + n, t), st.integers(0, 30), st.integers(1, 9), st.sampled_from(TYPES))
)


def slots(text: str) -> str:
    return Slots().fill(text, resolve(find(text)))


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("write to jo.doe+x@mail.example.org.", "write to <EMAIL_1>."),
        ("see https://example.com/a?b=1, ok?", "see <URL_1>, ok?"),
        ("it is on example.co.uk/x now", "it is on <URL_1> now"),
        ("I am @jo.doe, not @ home", "I am <HANDLE_1>, not @ home"),
        ("4111 1111 1111 1111 12 times", "<CARD_1> 12 times"),
        ("card 378282246310005", "card <CARD_1>"),
        ("IBAN DE89 3704 0044 0532 0130 00 is mine", "IBAN <IBAN_1> is mine"),
        ("gb82west12345698765432", "<IBAN_1>"),
        ("my ssn is 123-45-6789", "my ssn is <SSN_1>"),
        ("at 192.168.0.17 or fe80:0:0:0:1:2:3:4", "at <IP_1> or <IP_2>"),
        ("call +49 (30) 1234-5678", "call <PHONE_1>"),
        ("call (808) 555-1557 or 808.555.1557", "call <PHONE_1> or <PHONE_2>"),
        ("555-3455 10 times", "<PHONE_1> 10 times"),
        ("0171 1234567", "<PHONE_1>"),
        ("room 123456", "room <NUMBER_1>"),
        ("4111111111111112", "<NUMBER_1>"),  # fails the check digit, and is masked all the same
    ],
)
def test_forms(text: str, filled: str) -> None:
    assert slots(text) == filled


@pytest.mark.parametrize(
    "text",
    ["on 2018-05-02 at 12:30:45", "1,000,000 people", "100.0000 percent", "v1.2.3", "300.1.1.1", "e.g. this", "::)",
     "2016 2017", "12345", "ok.so what", "a@b", "666-12-3456", "born 02-05-2018"],
)  # fmt: skip
def test_false_alarms(text: str) -> None:
    assert slots(text) == text


@given(st.text(alphabet="0123456789 -+().@aZ:/w", max_size=60))
def test_no_run_of_six_digits_survives(text: str) -> None:
    # Slots are numbered, but never that high.
    assert not re.search(r"\d{6}", slots(text))


@given(st.text(max_size=60))
def test_spans_lie_inside_any_text_and_can_be_undone(text: str) -> None:
    spans = resolve(find(text))
    filled = Slots().fill(text, spans)
    outside = "".join(
        text[a.end : b.start]
        for a, b in zip([Span(0, 0, ""), *spans], [*spans, Span(len(text), 0, "")], strict=True)
    )
    assert all(0 <= s.start < s.end <= len(text) for s in spans)
    if "<" not in text:
        assert re.sub(r"<[A-Z]+_\d+>", "", filled) == outside


@given(SPANS)
def test_resolved_spans_are_disjoint_and_cover_the_same_characters(spans: list[Span]) -> None:
    resolved = resolve(spans)
    assert {i for s in resolved for i in range(s.start, s.end)} == {i for s in spans for i in range(s.start, s.end)}
    assert all(a.end <= b.start for a, b in pairwise(resolved))


@given(st.data(), SPANS)
def test_the_order_of_detectors_does_not_matter(data: st.DataObject, spans: list[Span]) -> None:
    assert resolve(spans) == resolve(data.draw(st.permutations(spans)))


def test_overlaps_take_the_longest_then_the_first_type() -> None:
    assert resolve([Span(0, 4, "NUMBER"), Span(2, 9, "PHONE")]) == [Span(0, 9, "PHONE")]
    assert resolve([Span(0, 4, "PERSON"), Span(0, 4, "EMAIL")]) == [Span(0, 4, "EMAIL")]


@given(st.text("0123456789", min_size=2, max_size=19), st.integers(1, 9), st.data())
def test_check_digits_catch_every_single_wrong_digit(digits: str, step: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(digits) - 1))
    wrong = digits[:place] + str((int(digits[place]) + step) % 10) + digits[place + 1 :]
    assert not (luhn(digits) and luhn(wrong))
    iban, wrong_iban = f"GB82{digits}", f"GB82{wrong}"
    assert not (mod_97(iban) and mod_97(wrong_iban))


def test_slots_number_each_type_and_know_a_surface_again() -> None:
    slots = Slots()
    assert [slots.slot("PERSON", s) for s in ("Ann", "Bob", "ANN", "Ann  Lee", "ann lee")] == [
        "<PERSON_1>",
        "<PERSON_2>",
        "<PERSON_1>",
        "<PERSON_3>",
        "<PERSON_3>",
    ]
    assert slots.slot("EMAIL", "Ann") == "<EMAIL_1>"
