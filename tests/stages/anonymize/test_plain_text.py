"""Plain form: no kind of blank, hyphen, width or invisible character hides what detectors look for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.anonymize.plain_text import plain
from stages.anonymize.preview import detect
from stages.anonymize.slots import fold
from stages.anonymize.spans import Span

IBAN = "DE89 3704 0044 0532 0130 00".replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("text", "kind", "surface"),
    [
        ("call 202\u00a0555\u00a00143", "PHONE", "202\u00a0555\u00a00143"),
        ("call 202\u2013555\u20130143 now", "PHONE", "202\u2013555\u20130143"),
        ("call 202\u200b-555\u200b-0143", "PHONE", "202\u200b-555\u200b-0143"),
        ("ssn 123\u221245\u22126789", "SSN", "123\u221245\u22126789"),
        ("card 4111\u00a01111\u202f1111\u00a01111", "CARD", "4111\u00a01111\u202f1111\u00a01111"),
        (f"iban {IBAN}", "IBAN", IBAN),
        ("jo.doe\uff20gmail.com", "EMAIL", "jo.doe\uff20gmail.com"),
        ("jo\u200b.doe@gmail.com", "EMAIL", "jo\u200b.doe@gmail.com"),
        ("jo(dot)doe at gmail dot com", "EMAIL", "jo(dot)doe at gmail dot com"),
        ("number ２０２５５５０１４３", "PHONE", "２０２５５５０１４３"),
        ("i met Zoe\u0308 Mu\u0308ller there", "PERSON", "Zoe\u0308 Mu\u0308ller"),
    ],
)  # fmt: skip
def test_unusual_characters_hide_nothing(text: str, kind: str, surface: str) -> None:
    ((span,),) = detect([text])
    assert (span.type, text[span.start : span.end]) == (kind, surface)


@given(st.text(max_size=40))
def test_spans_lead_back_to_the_characters_they_were_made_of(text: str) -> None:
    made = plain(text)
    for place in range(len(made.text)):
        span = made.original(Span(place, place + 1, "NUMBER", ""))
        assert 0 <= span.start < span.end <= len(text)
        assert plain(text[span.start : span.end]).text == made.text[place]


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=40))
def test_ascii_is_plain_already(text: str) -> None:
    assert plain(text).text == text
    assert plain(text).original(Span(0, 1, "NUMBER", "")) == Span(0, 1, "NUMBER", "")


def test_spellings_of_one_name_are_one_slot() -> None:
    assert fold("Zoe\u0308  Müller") == fold("ZOË\u00a0Mu\u0308ller") == "zoë müller"
