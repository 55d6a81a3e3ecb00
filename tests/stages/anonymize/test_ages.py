"""Ages and dates of birth: numbers count only beside a word that makes them personal."""

from __future__ import annotations

import pytest

from stages.anonymize.ages import find


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("born 1990-05-02", "1990-05-02"),
        ("I was born on 2/5/90", "2/5/90"),
        ("born in Oslo on the 2nd of May, 1990", "the 2nd of May, 1990"),
        ("my birthday is may 2nd", "may 2nd"),
        ("dob: 02051990", "02051990"),
        ("date of birth 2. 5. 1990", "2. 5. 1990"),
        ("born in 1990", "1990"),
        ("my bday's 2/5", "2/5"),
        ("12 march is my birthday", "12 march"),
    ],
)
def test_dates_of_birth(text: str, found: str) -> None:
    assert [text[s.start : s.end] for s in find(text) if s.type == "BIRTH_DATE"] == [found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I'm 20 years old", "20 years old"),
        ("she is a 6-year-old", "6-year-old"),
        ("20yo here", "20yo"),
        ("age: 20", "20"),
        ("aged 20, so", "20"),
        ("just turned 20!", "20"),
        ("im 20 and you", "20"),
        ("he's only 20", "20"),
        ("20f", "20f"),
        ("hi, m24 from", "m24"),
    ],
)
def test_ages(text: str, found: str) -> None:
    spans = [s for s in find(text) if s.type == "AGE"]
    assert found in [text[s.start : s.end] for s in spans]


@pytest.mark.parametrize(
    "text",
    [
        "on 2018-05-02", "it's 20%", "I'm 20 minutes away", "turned 90 degrees", "turn 2 pages", "page 20",
        "is 20:15", "20 people", "it is 20.5", "€20m", "in may 1990", "the stage 3 boss", "he is 20,000 miles away",
    ],
)  # fmt: skip
def test_numbers_that_are_no_ages(text: str) -> None:
    assert not list(find(text))
