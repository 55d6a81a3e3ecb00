"""Structured detectors: known forms with valid check digits, and what only looks like them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.anonymize.slots import Slots, fill
from stages.anonymize.spans import resolve
from stages.anonymize.structured import find, luhn, mod_97

DIGITS = st.text("0123456789", min_size=2, max_size=17)


def slots(text: str) -> str:
    return fill(text, resolve(find(text)), Slots())


def with_check_digit(digits: str) -> str:
    """Append the digit that ISO/IEC 7812-1 asks for."""
    return next(f"{digits}{check}" for check in range(10) if luhn(f"{digits}{check}"))


def iban(country: str, account: str) -> str:
    """Put in the check digits that ISO 7064 (mod 97-10) asks for."""
    number = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{country}{98 - int(number) % 97:02}{account}"


@pytest.mark.parametrize(
    ("text", "rule", "found"),
    [
        ("write to jo.doe+x@mail.example.org.", "email", "jo.doe+x@mail.example.org"),
        ("o'neil@exämple.de!", "email", "o'neil@exämple.de"),
        ("jo.doe at example dot com", "email.spelt", "jo.doe at example dot com"),
        ("jo [at] example [dot] org", "email.spelt", "jo [at] example [dot] org"),
        ("see https://example.com/a?b=1, ok?", "url", "https://example.com/a?b=1"),
        ("(www.example.com)", "url", "www.example.com"),
        ("it is on example.co.uk/x now", "url.bare", "example.co.uk/x"),
        ("bit.qq/a1", "url.path", "bit.qq/a1"),
        ("I am @jo.doe, not @ home", "handle.at", "@jo.doe"),
        ("add Jo_D#1234", "handle.tag", "Jo_D#1234"),
        ("that was u/jo-doe", "handle.reddit", "u/jo-doe"),
        ("at 192.168.0.17.", "ip.v4", "192.168.0.17"),
        ("or fe80::1 maybe", "ip.v6", "fe80::1"),
        ("IBAN DE89 3704 0044 0532 0130 00 is mine", "iban", "DE89 3704 0044 0532 0130 00"),
        ("gb82west12345698765432", "iban", "gb82west12345698765432"),
        ("4111 1111 1111 1111 is it", "card", "4111 1111 1111 1111"),
        ("card 378282246310005", "card", "378282246310005"),
        ("my ssn is 123-45-6789", "ssn", "123-45-6789"),
        ("call +49 (30) 1234-5678", "phone", "+49 (30) 1234-5678"),
        ("(808) 555-1557 ext. 12", "phone", "(808) 555-1557 ext. 12"),
        ("808.555.1557", "phone", "808.555.1557"),
        ("0171/1234567", "phone", "0171/1234567"),
        ("555-3455 10 times", "phone", "555-3455 10"),
        ("room 123456", "digits", "123456"),
    ],
)
def test_forms(text: str, rule: str, found: str) -> None:
    assert (rule, found) in [(span.rule, text[span.start : span.end]) for span in find(text)]


@pytest.mark.parametrize(
    "text",
    [
        "on 2018-05-02 at 12:30:45", "1,000,000 people", "100 000 000 of them", "v1.2.3",
        "300.1.1.1", "e.g. this", "::)", "2016 2017", "1 2 3 4 5 6 7", "12345", "ok.so what", "go.to bed", "use.me",
        "a@b", "born 02-05-2018", "look.it is", "@ home", "5/7", "n/a", "at 12.30 dot", "u/a",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_form(text: str) -> None:
    assert slots(text) == text


def test_no_number_of_a_person_begins_with_666() -> None:
    assert "SSN" not in {span.type for span in find("666-12-3456")}


def test_a_wrong_check_digit_is_masked_all_the_same() -> None:
    assert slots("4111111111111112") == "<NUMBER_1>"


@settings(max_examples=100)
@given(st.text("0123456789", min_size=12, max_size=18))
def test_every_number_with_its_check_digit_is_a_card(digits: str) -> None:
    card = with_check_digit(digits)
    assert slots(f"pay {card[:4]} {card[4:8]}-{card[8:]}, ok") in ("pay <CARD_1>, ok", "pay <PHONE_1>, ok")
    assert "card" in {span.rule for span in find(card)}


@settings(max_examples=100)
@given(st.sampled_from(["DE", "GB", "FR", "TR", "MT"]), st.text("0123456789ABCXYZ", min_size=12, max_size=27))
def test_every_account_with_its_check_digits_is_an_iban(country: str, account: str) -> None:
    number = iban(country, account)
    printed = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    assert mod_97(number)
    assert slots(f"to {number}.") == slots(f"to {printed}.") == "to <IBAN_1>."


@settings(max_examples=100)
@given(DIGITS, st.integers(1, 9), st.data())
def test_check_digits_catch_every_single_wrong_digit(digits: str, step: int, data: st.DataObject) -> None:
    right = with_check_digit(digits)
    place = data.draw(st.integers(0, len(right) - 1))
    wrong = right[:place] + str((int(right[place]) + step) % 10) + right[place + 1 :]
    assert not luhn(wrong)
    account = iban("DE", right)
    assert not mod_97(account.replace(right, wrong, 1) if account.endswith(right) else account[:4] + wrong)


@settings(max_examples=100)
@given(st.text("0123456789 -+().@aZ:/w", max_size=60))
def test_no_run_of_six_digits_survives(text: str) -> None:
    # Slots are numbered, but never that high.
    assert not re.search(r"\d{6}", slots(text))


def test_an_account_holds_ascii_only() -> None:
    # To a pattern blind to case, a dotless "ı" is an "I", which has no value in base 36.
    assert "IBAN" not in {span.type for span in find("DE89 3704 0044 ı532 0130 00")}
