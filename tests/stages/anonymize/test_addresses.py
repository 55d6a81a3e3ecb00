"""Street addresses in some ten countries' forms, and numbers that are none."""

from __future__ import annotations

import pytest

from stages.anonymize.addresses import find


@pytest.mark.parametrize(
    ("text", "rule", "found"),
    [
        ("at 221b Baker Street, Apt 4, Springfield 12345.", "address.street",
         "221b Baker Street, Apt 4, Springfield 12345"),
        ("i live on 12 old mill rd", "address.street", "12 old mill rd"),
        ("12 oak hill, springfield 12345", "address.place", "12 oak hill, springfield 12345"),
        ("it is 1200 oak hill", "address.long", "1200 oak hill"),
        ("come to 12 Oak Broadway Apt 4", "address.capital", "12 Oak Broadway Apt 4"),
        ("flat 3, oak hill", "address.flat", "flat 3, oak hill"),
        ("H. No. 12, Gandhi Chowk", "address.number", "H. No. 12, Gandhi Chowk"),
        ("calle mayor, 12", "address.prefixed", "calle mayor, 12"),
        ("Via Roma 7", "address.prefixed", "Via Roma 7"),
        ("12 bis, rue de la paix", "address.french", "12 bis, rue de la paix"),
        ("Lange Hauptstraße 12a", "address.suffixed", "Lange Hauptstraße 12a"),
        ("kerkstraat 5", "address.suffixed", "kerkstraat 5"),
        ("breite str. 12", "address.suffixed", "breite str. 12"),
        ("atatürk mah. no: 5", "address.turkish", "atatürk mah. no: 5"),
        ("po box 123, springfield", "address.box", "po box 123, springfield"),
        ("I live at hill house 5", "address.cue", "hill house 5"),
    ],
)  # fmt: skip
def test_addresses(text: str, rule: str, found: str) -> None:
    assert (rule, found) in [(span.rule, text[span.start : span.end]) for span in find(text)]


@pytest.mark.parametrize(
    "text",
    [
        "a 5 minute drive", "10 people in the park", "9 seemed way harder", "I paid $20 on the street",
        "3 more hills",
        "living at 5 pm", "2 big rings",
        "I have 2 cats and 3 dogs", "version 2.0 is out", "in 1999 we met",
        "there are 50 ways to go", "1 more time",
    ],
)  # fmt: skip
def test_numbers_that_are_no_addresses(text: str) -> None:
    assert not list(find(text))
