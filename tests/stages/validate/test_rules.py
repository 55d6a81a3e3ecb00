"""Rules on a row: residue of personal data, ids that tell who somebody is, slots."""

from __future__ import annotations

import re
import time
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.checks.great_expectations import Finding, check, open_context
from stages.validate.ids import ID_COLUMNS, id_rules, telling_ids
from stages.validate.leftover_pii import LEFTOVERS, checked_numbers, plain, privacy_rules
from stages.validate.rules import BAD_SLOT

#: Texts, and the one critical rule that each breaks; rows for "phone" are left out where a number is long.
RESIDUE = [
    ("email", "write to a.b@Example.ORG"),
    ("email", "<PERSON_1>x@y.co"),
    ("url", "see http://localhost/x"),
    ("url", "www.example"),
    ("url", "FTP://files"),
    ("handle", "ask @some_body"),
    ("handle", "(@Bob)"),
    ("iban", "to GB29 NWBK 6016 1331 9268 19 please"),
    ("iban", "no9386011117947"),
    ("iban", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
    ("card", "4111 1111-1111 1111"),
    ("card", "3782 822463 10005"),
    ("ssn", "123-45-6789"),
    ("ip", "at 10.2.3.4:80"),
    ("ip", "2001:db8::ff00:42:8329"),
    ("ip", "fe80:0:0:0:200:f8ff:fe21:67cf"),
    ("ip", "from fe80::1"),
    ("digits", "id 123456"),
    ("digits", "٠١٢٣٤٥٦"),
    ("email", "jo.doe\uff20gmail.com"),
    ("email", "jo.doe@\u200bgmail\u2060.com"),
    ("handle", "ask \uff20some\u00adbody"),
    ("iban", "iban DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000"),
    ("card", "card 4111\u00a01111\u00a01111\u00a01111"),
    ("card", "4111\u20111111\u20141111\u20031111"),
    ("ssn", "123\u201345\u22126789"),
    ("ip", "at 10.\ufeff2.3.4"),
    ("digits", "\uff11\uff12\uff13\uff14\uff15\uff16"),
    ("digits", "1\ufe0f\u20e32\ufe0f\u20e33\ufe0f\u20e34\ufe0f\u20e35\ufe0f\u20e36\ufe0f\u20e3"),
]
#: Telephone numbers; they cost the row only.
PHONES = [
    "call 202 555 0143",
    "call 202\u00a0555\u00a00143",
    "call 202\u202f555\u20090143",
    "call 202\u2013555\u20130143",
    "call (202\u200b)\u00a0555\u20110143",
    "call 202\u00ad555\u2060-0143",
]
#: What people write and no critical rule may take for personal data.
FINE = [
    "at 10:30, 3.5 stars, 12.5.2024, $1,500.00 or 99.99%",
    "version 1.2.3, 300.1.2.300",
    "me @ home, @7, @me, 10@10",
    "std::vector and d::d, :: and 12:30:45",
    "a@b is no address, e.g.this either",
    "GB29 NWBK 6016 1331 9268 18",
    "4111 1111 1111 1112",
    "900-12-3456, 666-12-3456, 000-12-3456, 123-00-4567",
    "1 2 3 4 5 6 7 8 9 10 11 12 13",
    "<PERSON_1> <EMAIL_12> <3 <b>",
    "12345",
    "cafe\u0301 \u2013 12\u00a0345, me\u00a0@\u00a0home",
]


def privacy_findings(texts: list[str]) -> dict[str, Finding]:
    written = plain(pl.Series(texts))
    sender = pl.Series("sender", ["0123456789abcdef"] * len(texts))
    table = pl.DataFrame([sender, written]).hstack(checked_numbers(written))
    return {f.rule.id: f for f in check(open_context(), "messages", table, privacy_rules(5))}


def test_residue_is_found_and_what_only_looks_like_it_is_not() -> None:
    findings = privacy_findings([text for _, text in RESIDUE] + FINE)
    for rule in LEFTOVERS:
        expected = {place for place, (what, _) in enumerate(RESIDUE) if f"no_{what}" == rule}
        found = set(findings[rule].rows)
        assert expected <= found, rule
        assert all(place < len(RESIDUE) for place in found), rule
    assert {f"no_{what}" for what, _ in RESIDUE} == set(LEFTOVERS)
    assert {f.rule.severity for rule, f in findings.items() if rule != "sender_keyed"} == {"row"}
    assert findings["sender_keyed"].success


@pytest.mark.parametrize(
    "unit", ["a", "A", "1", "a1", "a-", "-", "a.", "1 ", "1-", "@a", "a@", "a:", "0a:", "www."]
)
def test_no_pattern_needs_more_than_linear_time(unit: str) -> None:
    started = time.process_time()
    privacy_findings([(unit * 20_000)[:20_000]])
    assert time.process_time() - started < 3  # seconds; one pattern took 4.3


def test_phones_are_found_whatever_stands_between_the_digits() -> None:
    assert privacy_findings([*PHONES, "at 10:30\u00a0\u2013\u00a011:30"])["no_phone"].rows == tuple(
        range(len(PHONES))
    )


@given(st.lists(st.text() | st.none(), max_size=5))
def test_plain_forms_hold_nothing_odd_and_ascii_stays_as_it_is(texts: list[str | None]) -> None:
    written = plain(pl.Series(texts, dtype=pl.String()))
    assert not written.str.contains(r"[\p{Cf}\p{Mn}\p{Me}]|[\p{Zs}\p{Pd}--[ \-]]").any()
    assert all(one == text for one, text in zip(written, texts, strict=True) if text is None or text.isascii())


#: Ids that tell who somebody is, and the rule that each breaks.
TELLING = [
    ("email", "jo.doe@gmail.com"),
    ("email", "0123456789abcdef\uff20gmail.com"),
    ("handle", "@jo_doe"),
    ("phone", "+4930123456"),
    ("phone", "tel:+4930123456789"),
    ("phone", "chat-202-555-0143"),
    ("phone", "202\u2013555\u20130143"),
    ("phone", "2024-05-01-202-555-0143"),
    ("phone", "0171-2345678"),
    ("card", "4111-1111-1111-1111"),
    ("iban", "DE89370400440532013000"),
    ("iban", "gb29-nwbk-6016-1331-9268-19"),
    ("blank", "jo doe"),
    ("blank", "jo\u00a0doe"),
    ("blank", "doe\n"),
]
IDS = ("conversation_id", "message_id")
#: Ids of numbers and dates, as programs make them.
OPAQUE = [
    "c-81",
    "1048576",
    "S01E02",
    "2024-05-01-0001",
    "2024-05-01T12:00:00.123456+02:00",
    "20240501-123456",
    "1714557600.123456",
    "0001-0002-0003",
    "0012-000345",
    "MSG4111111111111111",
    "b33257fd-ab2c-4111-9a11-123456789012",
]


@pytest.mark.parametrize("column", IDS)
def test_ids_that_tell_who_somebody_is_are_found(column: str) -> None:
    ids = [f"native/{one}" for one in [*(one for _, one in TELLING), *OPAQUE]]
    table = pl.DataFrame({"conversation_id": "native/c", "message_id": "1", "id": ids}).with_columns(
        pl.col("id").alias(column)
    )
    findings = check(open_context(), "messages", telling_ids(table), id_rules())
    for finding in findings:
        expected = {place for place, (what, _) in enumerate(TELLING) if f"no_{what}_in_ids" == finding.rule.id}
        assert expected, finding.rule.id
        assert expected <= set(finding.rows), finding.rule.id
        assert all(place < len(TELLING) for place in finding.rows), finding.rule.id
    assert {f.rule.severity for f in findings} == {"critical"}


@given(
    st.lists(
        st.uuids().map(str)
        | st.integers(0, 2**64).map(str)
        | st.binary(min_size=6, max_size=32).map(bytes.hex)
        | st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(str).map(lambda t: t.replace(" ", "T"))
        | st.none()
    )
)
def test_ids_made_by_programs_tell_nothing(ids: list[str | None]) -> None:
    table = pl.DataFrame({"conversation_id": ids, "message_id": ids}, schema=dict.fromkeys(IDS, pl.String()))
    found = telling_ids(table)
    assert found.columns == list(ID_COLUMNS)
    assert found.height == len(ids)
    assert not found.select(pl.any_horizontal(pl.all())).to_series().any()


@pytest.mark.parametrize(
    "text", ["<BIRTH_DATE_0>", "<BIRTH_DATE_01>", "<BIRTH_DATE_>", "<BIRTH_DATE>", "<BIRTH_DATE_1", "BIRTH_DATE_1>"]
)
def test_half_written_slots_of_a_type_with_an_underscore_are_found(text: str) -> None:
    assert re.search(BAD_SLOT, f"born {text} really")


@pytest.mark.parametrize("sender", ["ann", "0123456789ABCDEF", "0123456789abcdef\n", "0123456789abcde", ""])
def test_senders_that_are_not_keyed_are_found(sender: str) -> None:
    rules = [rule for rule in privacy_rules(5) if rule.id == "sender_keyed"]
    (finding,) = check(open_context(), "messages", pl.DataFrame({"sender": [sender]}), rules)
    assert finding.rows == (0,)


@given(st.lists(st.text() | st.text("abGB0123456789 -\u212a", max_size=60) | st.none(), max_size=5))
def test_no_text_breaks_the_check_digits(texts: list[str | None]) -> None:
    found = checked_numbers(pl.Series(texts, dtype=pl.String()))
    assert found.shape == (len(texts), 2)
