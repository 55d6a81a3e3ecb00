"""What comes first in the dates of a file: `01/02/24` is 1 February or 2 January, and the file does not say.

Each order is scored by what it would mean, in bits: days that never were, time that goes back, long silences. Then
habits of phones (dots, half days) decide between orders that are as likely, and so do files of the same phone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import groupby
from math import log2
from typing import get_args

from stages.ingest.readers.whatsapp_dates import Header, Order, date_of

Scores = Mapping[Order, float]

ORDERS: tuple[Order, ...] = get_args(Order)

#: Bits against an order: for a date that is none, or is before WhatsApp was; for time that goes back by days.
NO_DATE, STEP_BACK = 10.0, 4.0
#: Bits against it for each doubling of the days between two messages.
SILENCE = 1.5
#: Bits for it where the name of an attached file holds the same date; of so many files at most.
SAME_DATE, STAMPS = 6.0, 5
#: Bits for or against a year that comes first and has two digits, by form.
YEAR_FIRST = 6.0
#: Bits between the likeliest orders below which files of the same form are asked; and below which nothing tells.
CLEAR, TOLD = 4.0, 1.0

#: Year in which WhatsApp began.
FIRST_YEAR = 2009

_STAMP = re.compile(
    r"\b(?:(?:IMG|VID|PTT|AUD|STK|DOC)-(\d{8})-WA\d|\d{8}-[A-Z]+-(\d{4}-\d\d-\d\d)-)", re.ASCII | re.IGNORECASE
)


def evidence(heads: Sequence[tuple[Header, str]]) -> Scores:
    """Score each order by the dates of a file.

    Args:
        heads: headers in the order of the file, and their lines.

    Returns:
        Bits; 0 means that nothing speaks against it.
    """
    days = [numbers for numbers, _ in groupby(header.numbers for header, _ in heads)]
    stamps = [stamp for _, stamp in zip(range(STAMPS), _stamps(heads), strict=False)]
    scores = {
        order: _agreement(stamps, order) - _cost(date_of(numbers, order) for numbers in days) for order in ORDERS
    }
    # "24. 10. 31." is Korean; elsewhere years of two digits come last.
    short_year_first = heads[0][0].form.lstrip("[").startswith("0. 0. 0. ")
    return {**scores, "year_first": scores["year_first"] + (YEAR_FIRST if short_year_first else -YEAR_FIRST)}


def _cost(days: Iterable[date | None]) -> float:
    cost, last = 0.0, None
    for day in days:
        if day is None or day.year < FIRST_YEAR:
            cost += NO_DATE
        if day is None:
            continue
        if last and day < last:
            cost += STEP_BACK
        elif last and day > last:
            cost += SILENCE * log2((day - last).days)
        last = day
    return cost


def _stamps(heads: Iterable[tuple[Header, str]]) -> Iterator[tuple[Header, date]]:
    for header, line in heads:
        if found := _STAMP.search(line):
            try:
                yield header, datetime.strptime((found[1] or found[2]).replace("-", ""), "%Y%m%d").date()
            except ValueError:
                continue


def _agreement(stamps: Iterable[tuple[Header, date]], order: Order) -> float:
    read = ((date_of(header.numbers, order), stamp) for header, stamp in stamps)
    return SAME_DATE * sum(day is not None and abs((day - stamp).days) <= 1 for day, stamp in read)


def habit(headers: Sequence[Header]) -> Scores:
    """Score each order by the form of headers alone, as the settings of phones around the world have it."""
    return {"month_first": _month_first(headers, headers[0].form.lstrip("["))}


def _month_first(headers: Sequence[Header], date_form: str) -> float:
    padded = next((header.padded for header in headers if header.padded is not None), False)
    half = next((header.half for header in headers if header.half), "")
    if not date_form.startswith("0/"):
        return -4.0 if date_form.startswith("0-") else -12.0
    if not half:
        return -3.0 if padded else -1.5
    # "9:00 PM" is American, and Indian with a zero before the month; "9:00 pm" and "9:00 p. m." are others'.
    if half in ("AM", "PM"):
        return 1.0 if padded else 4.0
    return -4.0 if padded or half not in ("am", "pm") else -1.0


def added(*scores: Scores) -> dict[Order, float]:
    """Add scores up."""
    return {order: sum(score.get(order, 0.0) for score in scores) for order in ORDERS}


def best(scores: Scores) -> Order:
    """Take the likeliest order, of equally likely ones the first."""
    return max(ORDERS, key=lambda order: (scores[order], -ORDERS.index(order)))


def told_apart(headers: Sequence[Header], scores: Scores, bits: float) -> bool:
    """Tell whether the likeliest order is ahead, by so many bits, of all in which the dates are others."""
    first = best(scores)
    rivals = [order for order in ORDERS if order != first and scores[first] - scores[order] < bits]
    return not any(
        date_of(header.numbers, rival) != date_of(header.numbers, first) for rival in rivals for header in headers
    )
