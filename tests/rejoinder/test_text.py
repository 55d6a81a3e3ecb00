"""The one normalisation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.text import context_text, normalize, words

_any_text = st.text(st.characters(exclude_categories=[]))


@given(_any_text)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@given(_any_text)
def test_a_canonical_form_is_one_encodable_line(text: str) -> None:
    canonical = normalize(text)
    canonical.encode()
    assert canonical == canonical.strip()
    assert len(canonical.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HELLO", "hello"),
        ("ＦＵＬＬ", "full"),
        ("Straße", "strasse"),
        ("e\u0301t", "ét"),
        ("zero\u200bwidth", "zero width"),
        ("a\r\n\tb", "a b"),
        ("\ud83d", ""),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_words_are_those_of_the_canonical_form() -> None:
    assert words("Don't STOP, ok?") == ("don", "t", "stop", "ok")


def test_a_context_is_the_last_turns() -> None:
    assert context_text(["a", "b", "c"], 2) == "b\nc"
    assert context_text(["a"], 2) == "a"
