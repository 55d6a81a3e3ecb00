"""The rules for the messages table, row by row, and for what its sources look like as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from stages.checks.rule import Rule, Severity, free_of, matches, one_of
from stages.common.messages import REACTIONS, ROLES
from stages.validate.counts import CONVERSATION_FLOOR

REQUIRED = ("conversation_id", "message_id", "sender", "sent_at", "text")

#: Chat logs are not older than this; an earlier date is a parser's mistake.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

#: Anything but white space and characters of no width.
VISIBLE = r"[^\s\u200b-\u200f\u2060\ufeff]"

#: A slot that anonymisation left half-written: no number, a number from 0 on, an angle bracket missing.
BAD_SLOT = r"<(?![A-Z_]+_[1-9][0-9]*>)[A-Z]{2,}_[A-Z0-9_]*|(?<![<A-Z_])[A-Z]{2,}_[A-Z0-9_]*>"


def row_rules(*, latest: datetime, max_chars: int, max_backward_s: float) -> tuple[Rule, ...]:
    """List the rules that each message must hold to, whatever the other sources are like.

    Args:
        latest: the latest believable `sent_at`, with a time zone.
        max_chars: longest text, characters.
        max_backward_s: seconds that the clock of a conversation may run back; judged before, in `clock`.

    Returns:
        The rules, over the columns of a messages table and `in_time`.
    """
    return (
        *(_required(column) for column in REQUIRED),
        Rule(
            "message_unique",
            "row",
            "message_id occurs once in its conversation",
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": ["conversation_id", "message_id"], "ignore_row_if": "any_value_is_missing"},
        ),
        matches("text_visible", "row", "text holds a visible character", "text", VISIBLE),
        Rule(
            "text_length",
            "row",
            f"text has at most {max_chars:,} characters",
            "ExpectColumnValueLengthsToBeBetween",
            {"column": "text", "max_value": max_chars},
        ),
        Rule(
            "sent_at_sane",
            "row",
            f"sent_at lies between {EARLIEST.year} and the time of the run",
            "ExpectColumnValuesToBeBetween",
            {"column": "sent_at", "min_value": EARLIEST, "max_value": latest},
        ),
        one_of(
            "clock_forward",
            "row",
            "in_time",
            (True,),
            f"the clock of a conversation runs back by at most {max_backward_s:g} s",
        ),
        one_of("role_known", "row", "role", ROLES, f"role, where given, is one of {', '.join(ROLES)}"),
        one_of(
            "reaction_known", "row", "reaction", REACTIONS, f"reaction, if any, is one of {', '.join(REACTIONS)}"
        ),
        free_of("bad_slot", "row", "half-written slot", BAD_SLOT),
    )


def size_rules(*, messages: int, conversations: int, senders: int) -> tuple[Rule, ...]:
    """List the least sizes, over the table of sources.

    Args:
        messages: rows.
        conversations: distinct conversations.
        senders: distinct senders.

    Returns:
        The rules; they can be checked without any source.
    """
    return tuple(
        Rule(
            f"enough_{column}",
            "critical",
            f"at least {least:,} {column}",
            "ExpectColumnSumToBeBetween",
            {"column": column, "min_value": least},
        )
        for column, least in (("messages", messages), ("conversations", conversations), ("senders", senders))
    )


def share_rules(limits: Mapping[str, float]) -> tuple[Rule, ...]:
    """List the limits of shares, over the table of sources: the worst source decides.

    Args:
        limits: the largest share allowed by column of the table, one of `SHARES`.

    Returns:
        The rules, and the one that slots are numbered without holes.
    """
    shares = (
        _at_most(f"{column}_limited", "critical", f"{words}: at most {limits[column]:.1%}", column, limits[column])
        for column, words in SHARES.items()
    )
    return (
        *shares,
        _at_most(
            "reactions_in_band",
            "critical",
            "messages with a reaction: share outside its band by 0%",
            "out_of_band",
            0.0,
        ),
        _at_most(
            "conversations_kept",
            "critical",
            f"conversations of {CONVERSATION_FLOOR} messages or more that lost every one: at most 0",
            "conversations_lost",
            0,
        ),
        _at_most("slots_numbered", "warning", "slots of a type and conversation: numbered 1 to n", "slot_holes", 0),
    )


#: Columns of the table of sources that have a limit, and what they are.
SHARES = {
    "quarantined_share": "rows in quarantine",
    "leftover_share": "rows with personal data left",
    "repeated_share": "messages said over and over by one sender in one conversation",
    "only_slots_share": "messages of slots alone",
    "foreign_share": "messages mostly in another script",
    "one_sender_share": "conversations with one sender",
    "label_share": "messages with the commonest reaction",
    "sender_share": "messages of all sources by the busiest sender",
}


def _required(column: str) -> Rule:
    return Rule(
        f"{column}_present", "row", f"{column} is not null", "ExpectColumnValuesToNotBeNull", {"column": column}
    )


def _at_most(rule: str, severity: Severity, words: str, column: str, limit: float) -> Rule:
    return Rule(rule, severity, words, "ExpectColumnMaxToBeBetween", {"column": column, "max_value": limit})
