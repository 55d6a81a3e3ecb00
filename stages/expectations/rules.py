"""The rules for the messages table.

The expressions for personal data are written independently of the anonymiser's: a gap there must not be a gap here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from stages.table import REACTIONS, ROLES

#: A broken `critical` rule stops the run; rows that break a `row` rule go to quarantine, and the run goes on.
Severity = Literal["critical", "row"]

REQUIRED = ("conversation_id", "message_id", "sender", "sent_at", "text")

#: Chat logs are not older than this; an earlier date is a parser's mistake.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

#: Sixteen lower-case hexadecimal digits: a sender after keyed hashing, never a name or an account.
KEYED_SENDER = r"\A[0-9a-f]{16}\Z"

#: Any address: something, an at sign, a dotted name.
EMAIL = r"[^\s@<>]@[^\s@<>]+\.[A-Za-z]{2,}"

#: 13 to 19 digits (ISO/IEC 7812), in one piece or in the groups printed on cards: 4-4-4-1..7 and 4-6-5.
#: Single digits with blanks between them are somebody counting.
CARD = r"(?<!\d)\d{4}[ -]?(?:\d{4}[ -]?\d{4}[ -]?\d{1,7}|\d{6}[ -]?\d{5})(?!\d)"

#: Nine or more digits, with at most two separators between neighbours.
PHONE = r"\d(?:[ ().\-/]{0,2}\d){8,}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what is expected, and how Great Expectations checks it.

    Attributes:
        id: a short stable name, the one found in `quarantine.parquet`.
        severity: what a breach leads to.
        description: the expectation in words.
        expectation: the class in `great_expectations.expectations`.
        arguments: its arguments.
    """

    id: str
    severity: Severity
    description: str
    expectation: str
    arguments: Mapping[str, Any]


def message_rules(
    *, now: datetime, max_chars: int, max_digits: int, min_messages: int, min_conversations: int, min_senders: int
) -> tuple[Rule, ...]:
    """List the rules of the suite "messages".

    Args:
        now: the latest believable `sent_at`, with a time zone.
        max_chars: longest text, characters.
        max_digits: longest run of digits in a text.
        min_messages: rows.
        min_conversations: distinct conversations.
        min_senders: distinct senders.

    Returns:
        The rules: size first, then row by row, then privacy.
    """
    return (
        *_size_rules(min_messages, min_conversations, min_senders),
        *(_required(column) for column in REQUIRED),
        *_row_rules(now, max_chars),
        *_privacy_rules(max_digits),
    )


def _size_rules(messages: int, conversations: int, senders: int) -> tuple[Rule, ...]:
    return (
        Rule(
            "enough_messages",
            "critical",
            f"at least {messages:,} messages",
            "ExpectTableRowCountToBeBetween",
            {"min_value": messages},
        ),
        _distinct("enough_conversations", "conversation_id", conversations, "conversations"),
        _distinct("enough_senders", "sender", senders, "senders"),
    )


def _distinct(rule: str, column: str, least: int, what: str) -> Rule:
    return Rule(
        rule,
        "critical",
        f"at least {least:,} {what}",
        "ExpectColumnUniqueValueCountToBeBetween",
        {"column": column, "min_value": least},
    )


def _required(column: str) -> Rule:
    return Rule(
        f"{column}_present",
        "row",
        f"{column} is not null",
        "ExpectColumnValuesToNotBeNull",
        {"column": column},
    )


def _row_rules(now: datetime, max_chars: int) -> tuple[Rule, ...]:
    return (
        Rule(
            "message_unique",
            "row",
            "message_id occurs once in its conversation",
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": ["conversation_id", "message_id"], "ignore_row_if": "any_value_is_missing"},
        ),
        Rule(
            "text_length",
            "row",
            f"text has 1 to {max_chars:,} characters",
            "ExpectColumnValueLengthsToBeBetween",
            {"column": "text", "min_value": 1, "max_value": max_chars},
        ),
        Rule(
            "sent_at_sane",
            "row",
            f"sent_at lies between {EARLIEST.year} and the time of the run",
            "ExpectColumnValuesToBeBetween",
            {"column": "sent_at", "min_value": EARLIEST, "max_value": now},
        ),
        _one_of("role", ROLES),
        _one_of("reaction", REACTIONS),
    )


def _one_of(column: str, values: tuple[str, ...]) -> Rule:
    return Rule(
        f"{column}_known",
        "row",
        f"{column}, where given, is one of {', '.join(values)}",
        "ExpectColumnValuesToBeInSet",
        {"column": column, "value_set": list(values)},
    )


def _privacy_rules(max_digits: int) -> tuple[Rule, ...]:
    return (
        Rule(
            "sender_keyed",
            "critical",
            "sender is 16 lower-case hexadecimal digits, that is, keyed",
            "ExpectColumnValuesToMatchRegex",
            {"column": "sender", "regex": KEYED_SENDER},
        ),
        _free_of("email", "critical", "e-mail address", EMAIL),
        _free_of("card", "critical", "payment card number", CARD),
        _free_of("digits", "critical", f"run of more than {max_digits} digits", rf"\d{{{max_digits + 1},}}"),
        _free_of("phone", "row", "phone number: nine or more digits in groups", PHONE),
    )


def _free_of(what: str, severity: Severity, words: str, regex: str) -> Rule:
    return Rule(
        f"no_{what}",
        severity,
        f"text holds no {words}",
        "ExpectColumnValuesToNotMatchRegex",
        {"column": "text", "regex": regex},
    )
