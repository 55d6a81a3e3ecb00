"""A file of WhatsApp as entries: which lines start one, and which look so because somebody pasted or typed them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, pairwise

from stages.ingest.readers.whatsapp_dates import MARKS, Header, Order, date_of, header_of, moment
from stages.ingest.readers.whatsapp_notices import whatsapp_event

#: What may stand around a name; people without an entry in the phone's contacts are shown as "~ Ann".
AROUND = MARKS + "~ \u00a0\u202f"

#: Lines of a second form or order that are still pasted: so many, or such a share of the file.
PASTED_LINES, PASTED_SHARE = 20, 0.2

_SENDER = re.compile(r"([^\n]*?):(?=[ \n]|\Z)")


@dataclass(frozen=True, slots=True)
class Head:
    """A line that starts with a date in a form of WhatsApp."""

    place: int
    header: Header
    line: str

    @property
    def rest(self) -> str:
        """What follows the date."""
        return self.line[len(self.header.text) :]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line with a date, and those that belong to it."""

    line: int
    header: Header
    body: str
    #: What may be the sender's name, as it stands; None if no name is there.
    named: str | None
    #: Where in the body begins what is said.
    start: int

    @classmethod
    def of(cls, line: int, header: Header, body: str) -> Entry:
        """Split what follows a date at the sender's name."""
        found = _SENDER.match(body)
        if found is None:
            return cls(line, header, body, None, 0)
        return cls(line, header, body, found[1], found.end() + body.startswith(" ", found.end()))

    @property
    def said(self) -> str:
        """What follows the sender's name, or all if no name is there."""
        return self.body[self.start :]

    @property
    def raw(self) -> str:
        """The entry as it stands in the file."""
        return self.header.text + self.body


def heads_of(lines: Sequence[str]) -> list[Head]:
    """List the lines that start with a date, in whatever form."""
    return [Head(place, found, line) for place, line in enumerate(lines) if (found := header_of(line))]


def own_form(lines: Sequence[str], heads: Sequence[Head]) -> str:
    """Tell the form of the phone that wrote a file: of its first line, else the commonest."""
    first = next(place for place, line in enumerate(lines) if line.strip())
    if heads[0].place == first:
        return heads[0].header.form
    return Counter(head.header.form for head in heads).most_common(1)[0][0]


def too_many(pasted: int, own: int) -> bool:
    """Tell whether lines are too many to have been pasted: then the file is of two exports."""
    return pasted > max(PASTED_LINES, PASTED_SHARE * own)


def of_another_order(header: Header, order: Order) -> bool:
    """Tell whether a date is none in this order, but one in another."""
    others: tuple[Order, ...] = ("day_first", "month_first")
    return date_of(header.numbers, order) is None and any(date_of(header.numbers, other) for other in others)


def sender_of(rest: str) -> str | None:
    """Read the sender's name from what follows a date; None if there is none."""
    named = _SENDER.match(rest)
    return named[1].strip(AROUND) if named else None


def split(lines: Sequence[str], heads: Sequence[Head]) -> tuple[str, list[Entry]]:
    """Split a file into what comes before the first entry, and entries.

    Args:
        lines: of the file.
        heads: the lines that start an entry, at least one.

    Returns:
        The text before, and the entries in order.
    """
    ends = [*(head.place for head in heads[1:]), len(lines)]
    entries = [
        Entry.of(head.place + 1, head.header, "\n".join([head.rest, *lines[head.place + 1 : end]]))
        for head, end in zip(heads, ends, strict=True)
    ]
    return "\n".join(lines[: heads[0].place]), entries


def with_typed_lines(entries: Sequence[Entry], order: Order) -> Iterator[Entry]:
    """Give lines that somebody typed, though they look like events, back to the message that they are of.

    Such a line names no sender, is no known notice, and has a time that is not between those of its neighbours, or
    goes on in another line, as no notice does.

    Args:
        entries: in the order of the file.
        order: what comes first in its dates.

    Yields:
        The entries that remain, in order.
    """
    times = [moment(entry.header, order) for entry in entries]
    following = chain((time for time in times[1:]), [None])
    held: Entry | None = None
    before: datetime | None = None
    for entry, time, after in zip(entries, times, following, strict=True):
        if held and held.named is not None and _is_typed(entry, before, time, after):
            held = Entry.of(held.line, held.header, f"{held.body}\n{entry.raw}")
            continue
        if held:
            yield held
        held, before = entry, time
    if held:
        yield held


def _is_typed(entry: Entry, before: datetime | None, time: datetime | None, after: datetime | None) -> bool:
    if entry.named is not None or whatsapp_event(entry.body.strip(AROUND + "\n")) is not None:
        return False
    known = [moment for moment in (before, time, after) if moment]
    # Where the neighbours themselves go back, as in the hour that autumn repeats, nothing is told.
    told = not (before and after and after < before)
    return "\n" in entry.body.strip() or (told and any(late > early for late, early in pairwise(known)))
