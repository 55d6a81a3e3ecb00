"""Ids that tell who somebody is: those of native logs are opaque by contract, and published as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import polars as pl

from stages.checks.rule import Rule, one_of
from stages.validate.leftover_pii import EMAIL, HANDLE, has_card, has_iban, plain

#: What may be a card or an account by chance only: a UUID (RFC 9562), and 13 or more letters and digits in one
#: piece (hashes, snowflakes), but for an IBAN in capitals. A card, or an IBAN in small letters, counts in groups.
_OPAQUE = re.compile(
    r"(?<![0-9A-Za-z])(?!(?<=\+)\d)(?:(?i:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"
    r"|(?![A-Z]{2}\d\d[A-Z]{0,4}\d{10,}(?![0-9A-Za-z]))[0-9A-Za-z]{13,})(?![0-9A-Za-z])"
)

#: Year, month and day, and a time of day: ids are made of them.
_DATE = re.compile(
    r"(?<!\d)(?:19|20)\d\d([-./]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
    r"(?:[T_-]?(?:[01]\d|2[0-3])([-.:]?)[0-5]\d\2[0-5]\d)?"
)

#: A plus sign and 8 to 15 digits (ITU-T E.164).
_INTERNATIONAL = re.compile(r"\+ ?\(?\d(?:[ ().\-/]{0,2}\d){7,14}(?!\d)")

#: Groups of digits with one or two separators between neighbours.
_GROUPS = re.compile(r"\d+(?:[ ().\-/]{1,2}\d+)+")


def _has_phone(written: str) -> bool:
    groups = (re.findall(r"\d+", match[0]) for match in _GROUPS.finditer(written))
    return bool(_INTERNATIONAL.search(written)) or any(map(_is_phone, groups))


def _is_phone(groups: list[str]) -> bool:
    """Accept what is grouped as nobody groups counters: "0001-0002-0003", "0012-000345" and times are none."""
    sizes = [len(group) for group in groups]
    if not 9 <= sum(sizes) <= 15 or max(sizes) > 8 or groups[0].startswith("000"):
        return False
    # Of two groups the first must be an area code, which the other never begins like.
    area = groups[0].startswith("0") and groups[0][1:2] != "0" and not groups[1].startswith("0")
    counters = min(sizes) == max(sizes) >= 4
    return area if len(groups) == 2 else not counters


#: What no id may hold: by rule, in words, and how it is found.
_CHECKS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "email": ("e-mail address", re.compile(EMAIL).search),
    "handle": ("@handle", re.compile(HANDLE).search),
    "phone": ("phone number with a plus sign or in groups", _has_phone),
    "card": ("payment card number in groups", has_card),
    "iban": ("bank account (IBAN in capitals or in groups)", has_iban),
    "blank": ("blank, since names have them", re.compile(r"\s").search),
}

#: Columns that `telling_ids` adds.
ID_COLUMNS = tuple(f"{what}_in_ids" for what in _CHECKS)


def id_rules() -> tuple[Rule, ...]:
    """List the rules on what ids must not tell, over the columns of `telling_ids`."""
    return tuple(
        one_of(
            f"no_{what}_in_ids",
            "critical",
            f"{what}_in_ids",
            (False,),
            f"conversation_id, message_id hold no {words}",
        )
        for what, (words, _) in _CHECKS.items()
    )


def telling_ids(messages: pl.DataFrame) -> pl.DataFrame:
    """Find ids that tell who somebody is.

    Args:
        messages: columns conversation_id and message_id, with nulls.

    Returns:
        `ID_COLUMNS`, boolean: whether one of the row's ids does.
    """
    ids = messages.select("conversation_id", "message_id")
    suspects = _suspects(pl.concat(column.drop_nulls().unique().alias("id") for column in ids).unique())
    telling = {
        f"{what}_in_ids": [one for one, bare in suspects.iter_rows() if check(bare)]
        for what, (_, check) in _CHECKS.items()
    }
    return ids.select(
        pl.any_horizontal(pl.all().is_in(found).fill_null(False)).alias(name) for name, found in telling.items()
    )


def _suspects(ids: pl.Series) -> pl.DataFrame:
    """Ids, and what is left of them without their opaque parts, where any check could succeed."""
    rich = pl.col("bare").str.contains(r"[@+\s]") | (pl.col("bare").str.count_matches(r"\d") >= 9)
    found = pl.DataFrame({"id": ids, "bare": plain(ids)}).filter(rich)
    bare = [_DATE.sub("x", _OPAQUE.sub("x", one)) for one in found["bare"]]
    return found.with_columns(bare=pl.Series(bare, dtype=pl.String())).filter(rich)
