"""Laws of all finders: any text gives spans inside it, and a long text takes time in proportion."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.anonymize import accounts, addresses, ages, names, structured
from stages.anonymize.lexicon import packaged
from stages.anonymize.mentions import Mentions
from stages.anonymize.same_person import same_person
from stages.anonymize.spans import TYPES, Span, resolve

Find = Callable[[str], Iterable[Span]]

MENTIONS = Mentions()
MENTIONS.add_found(["Jessica van der Zorp", "Will"], packaged())
FINDERS: dict[str, Find] = {
    "structured": structured.find,
    "addresses": addresses.find,
    "ages": ages.find,
    "accounts": lambda text: accounts.find(text, packaged()),
    "names": lambda text: names.find(text, [], packaged()),
    "mentions": lambda text: MENTIONS.find(text, packaged()),
}
#: Emoji, right-to-left and combining marks, NUL, a lone surrogate, letters that case folding changes.
PIECES = (
    "Jessica", "hi ", "\0", "\ud800", "👩‍👧", "שלום", "\u202e", "e\u0301", "ıſK", "٣", "@", "jo@example.com", "12 ",
    "1990", "born ", " street ", "insta is ", "'s", "\n", "4111 1111 1111 1111", "DE89370400440532013000", "ß",
    "My name is ",
)  # fmt: skip
#: What sends careless patterns back and forth.
PATTERNS = (
    "1 ", "a ", "(1", "1,1,", "street ", "x", "1", " ", "\n", "Aa-", "a.", "1.", "1:", "a@", "@a", "at ", "[at]",
    "u/a", "Aa Bb ", "12 Aa ", "rue a ", "de12 ", "born ", "jan 1 ", "insta ", "insta a_", "mah ", "van der ", "ha",
    "jessica ", "Jessica and ", "www.", "http://", "1 main street apt 1 ", "h. no. 1 ", "!", "👍", "\0",
    "é", "שלום ",
)  # fmt: skip
LENGTH = 50_000
#: Seconds of CPU: the slowest takes half a second; what is not linear takes many.
BOUND = 3.0


@pytest.mark.parametrize("name", FINDERS)
@settings(max_examples=60, deadline=None)
@given(
    text=st.one_of(st.text(st.characters(exclude_categories=())), st.lists(st.sampled_from(PIECES)).map("".join))
)
def test_spans_lie_inside_any_text(name: str, text: str) -> None:
    for span in FINDERS[name](text):
        assert 0 <= span.start < span.end <= len(text)
        assert span.type in TYPES
        assert span.rule


@pytest.mark.parametrize("name", FINDERS)
def test_time_grows_with_the_text(name: str) -> None:
    for pattern in PATTERNS:
        text = (pattern * (LENGTH // len(pattern) + 1))[:LENGTH]
        started = time.process_time()
        list(FINDERS[name](text))
        assert time.process_time() - started < BOUND, f"{name}: {pattern!r}"


def test_a_conversation_may_hold_thousands_of_names() -> None:
    known = sorted(packaged().first_names)[:4_000]
    text = ", ".join(name.title() for name in known)
    started = time.process_time()
    mentions = Mentions()
    mentions.add_found(known, packaged())
    assert len(resolve(mentions.find(text, packaged()))) == len(known)
    assert len(same_person([*known, *(f"{name} zorp" for name in known)])) == len(known)
    assert time.process_time() - started < BOUND
