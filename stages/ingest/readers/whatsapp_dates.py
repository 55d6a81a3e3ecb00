"""The forms in which phones write date and time before a message: tables of pieces, and one pattern of them.

A header is `[DATE JOIN CLOCK]` or `DATE JOIN CLOCK END`, with the half of the day before or after the clock. In the
tables `0` is a number, in any script's digits; spaces may be narrow or not break.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Literal

from stages.ingest.readers.rows import EPOCH

Order = Literal["day_first", "month_first", "year_first"]

#: Marks of writing direction, which WhatsApp puts before what it inserts, and Arabic phones around numbers.
MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

DATES = ("0/0/0", "0-0-0", "0.0.0", "0.0.0.", "0. 0. 0", "0. 0. 0.", "0.0.0 г.", "0年0月0日")
JOINS = (
    ", ", " ", "، ", ",", " klo ", ", klo ", " kl. ", ", kl. ", " kl ", " à ", " um ", ", um ", " às ", " at ",
    ", at ", " a las ", " alle ", " om ", " o ", " в ", ", в ", " saat ",
)  # fmt: skip
CLOCKS = (
    "0:0",
    "0:0:0",
    "0.0",
    "0.0.0",
    "0 h 0",
    "0h0",
    "0 h 0 min 0 s",
    "0:0 ч.",
    "0:0:0 ч.",
    "0時0分",
    "0時0分0秒",
)
ENDS = ("]", " -", " –", " —", ",", ":")

#: Words for the halves of the day, without the dots and spaces that may stand between their letters.
MORNING = frozenset(
    "am π.μ. ص ق.ظ 오전 上午 凌晨 清晨 早上 午前 öö sa pg ap dop fm de पूर्वाह्न म.पू. ก่อนเที่ยง".replace(".", "").split()
)
AFTERNOON = frozenset(
    "pm μ.μ. م ب.ظ 오후 下午 中午 晚上 午後 ös ch ptg ip odp em du अपराह्न म.उ. หลังเที่ยง".replace(".", "").split()
)

#: Years of other eras with the months of ours: from, to, and what to add.
ERAS = (("Minguo", 90, 250, 1911), ("Buddhist", 2400, 2700, -543))

# Bounded, since two may meet: a line of a million marks takes no longer than one of letters.
_MARK = f"[{MARKS}]{{0,3}}"
_SPACE = "[ \u00a0\u202f]"


def _pieces(table: Iterable[str], number: str = "") -> str:
    longest_first = sorted(table, key=len, reverse=True)
    spelled = (re.escape(piece).replace(r"\ ", _SPACE).replace("0", number or "0") for piece in longest_first)
    return "|".join(spelled)


def _words(table: Iterable[str]) -> str:
    spaced = (rf"\.?{_SPACE}?".join(map(re.escape, word)) for word in sorted(table, key=len, reverse=True))
    return rf"(?:{'|'.join(spaced)})\.?"


_HALF = _words(MORNING | AFTERNOON)
_DATE = _pieces(DATES, _MARK + r"\d{1,4}" + _MARK)
_CLOCK = _pieces(CLOCKS, r"\d{1,2}" + _MARK)
_HEADER = re.compile(
    rf"{_MARK}(?P<open>\[?)"
    rf"(?P<date>{_DATE})(?P<join>{_pieces(JOINS)}){_MARK}"
    rf"(?:(?P<before>{_HALF}){_SPACE}?)?(?P<clock>{_CLOCK})(?:{_SPACE}?{_MARK}(?P<after>{_HALF}))?{_MARK}"
    rf"(?P<end>{_pieces(ENDS)})(?:{_SPACE}|\Z)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
#: Digits of most phones as zeros, so that few headers differ and their forms are remembered.
_MASKED = str.maketrans("123456789", "000000000")
_UNSEEN = re.compile(f"[{MARKS}]")
_BETWEEN_LETTERS = re.compile(r"[.\s]")


@dataclass(frozen=True, slots=True)
class Header:
    """Date and time before a message, as they are written."""

    #: What all headers of a file share: the header with `0` or `0000` for numbers, `a` for the half of the day.
    form: str
    #: The numbers of the date, in the order of the file.
    numbers: tuple[int, int, int]
    #: None if there is no such time of day.
    time: time | None
    #: Whether a number below 10 has a zero before it; None if there is none.
    padded: bool | None
    half: str
    #: The header itself.
    text: str


def header_of(line: str) -> Header | None:
    """Read the header at the start of a line, if there is one."""
    found = _HEADER.match(line)
    if found is None or (found["open"] == "[") != (found["end"] == "]"):
        return None
    first, second, third = _NUMBER.findall(found["date"])
    short = [number for number in (first, second) if int(number) < 10]
    half = found["before"] or found["after"] or ""
    return Header(
        form=_form(found[0].translate(_MASKED)),
        numbers=(int(first), int(second), int(third)),
        time=_time(found["clock"], half),
        padded=all(len(number) > 1 for number in short) if short else None,
        half=half,
        text=found[0],
    )


@lru_cache(maxsize=4096)
def _form(masked: str) -> str:
    found = _HEADER.match(masked)
    if found is None:
        raise AssertionError("a header with other digits is a header")
    before, after = ("a" if found[name] else "" for name in ("before", "after"))
    clock = _NUMBER.sub("0", found["clock"])
    dated = _NUMBER.sub(lambda number: "0" if len(number[0]) < 3 else "0000", found["date"])
    whole = _UNSEEN.sub("", f"{found['open']}{dated}{found['join']}{before}{clock}{after}{found['end']}")
    return re.sub(r"\s", " ", whole).lower()


def _time(clock: str, half: str) -> time | None:
    hour, minute, second = map(int, [*_NUMBER.findall(clock), "0"][:3])
    if half:
        if hour > 12:
            return None
        word = _BETWEEN_LETTERS.sub("", half).lower()
        noon = word == "中午" and hour in (10, 11)
        hour = hour % 12 + (12 if word in AFTERNOON else 0) if not noon else hour
    try:
        return time(hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def date_of(numbers: tuple[int, int, int], order: Order) -> date | None:
    """Read the numbers of a date in one order; None if there is no such day since 1970."""
    first, second, third = numbers
    if order == "year_first" or first > 31:
        year, month, day = first, second, third
    else:
        day, month = (first, second) if order == "day_first" else (second, first)
        year = third
    try:
        found = date(_year(year), month, day)
    except ValueError:
        return None
    return found if found >= EPOCH.date() else None


def _year(number: int) -> int:
    if number < 100:
        # WhatsApp is of 2009, in Buddhist years 2552: the two never meet before 2052.
        return 2000 + number if number < 52 else 2500 + number - 543
    return next((number + add for _, first, last, add in ERAS if first <= number <= last), number)


def moment(header: Header, order: Order) -> datetime | None:
    """Read date and time, as UTC; None if there is no such moment since 1970."""
    day = date_of(header.numbers, order)
    return datetime.combine(day, header.time) if day and header.time else None
