"""WhatsApp: text files from "Export chat", one a conversation.

    [31/12/23, 21:14:05] Ann: a message            from an iPhone
    12/31/23, 9:14 PM - Ann: a message             from Android; the form of the date is the phone's
    that goes on in a second line
    12/31/23, 9:15 PM - Ann left                   what WhatsApp itself reports has no sender, or a fixed text

Times have no zone: they are taken as UTC, so only the gaps between them are real. Messages have no ids: their place
in the file stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal

from stages.common.messages import Automated, Item, Message, Rejected
from stages.ingest.readers.exports import Export, find, read_text, shown
from stages.ingest.readers.notices import INSERTED, whatsapp_event, whatsapp_notice
from stages.ingest.readers.rows import EPOCH, MAX_IDENTIFIER

NAME = "whatsapp"

Dates = Literal["auto", "day_first", "month_first"]
Order = Literal["day_first", "month_first"]

# Marks of writing direction, which WhatsApp puts before what it inserts.
_MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# What may stand around a name; people without an entry in the phone's contacts are shown as "~ Ann".
_AROUND = _MARKS + "~ \u00a0\u202f"
_HEADER = re.compile(
    rf"""
    [{_MARKS}]*\[?
    (?P<first>\d{{1,4}})[./-](?P<second>\d{{1,2}})[./-](?P<third>\d{{2,4}}),?\s+
    (?P<hour>\d{{1,2}})[:.](?P<minute>\d\d)(?:[:.](?P<seconds>\d\d))?
    (?:\s?(?P<half>[ap])\.?\s?m\.?)?
    (?:\]|\s[-–])(?:\s|$)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SENDER = re.compile(r"([^\n]*?):(?=[ \n]|\Z)")
_ATTACHED = re.compile(r"<attached: [^\n<>]*>|\A[^\n]+\.\w+ \(file attached\)(?:\n|\Z)")
_EDITED = "<This message was edited>"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line with a date, and those without that follow it."""

    line: int
    date: re.Match[str]
    body: str


def read(logs: Path, dates: Dates = "auto") -> Iterator[Item]:
    """Read every conversation.

    Args:
        logs: the folder of logs; the exports lie in its subfolder `whatsapp`.
        dates: what comes first in dates; `auto` decides for each file.

    Returns:
        One item a message or report.

    Raises:
        DataError: if the subfolder holds no text file.
    """
    return _items(find(logs, NAME, lambda path: path.suffix.lower() == ".txt", "*.txt of WhatsApp"), dates)


def _items(export: Export, dates: Dates) -> Iterator[Item]:
    yield from export.rejected
    for path in export.files:
        file = shown(path, export.logs)
        text = read_text(path, file)
        if isinstance(text, Rejected):
            yield text
        else:
            yield from parse_file(file, text, dates)


def parse_file(file: str, text: str, dates: Dates) -> Iterator[Item]:
    """Read one file.

    Args:
        file: its name below the folder of logs, which is the conversation.
        text: its content.
        dates: what comes first in dates.

    Yields:
        One item an entry; the whole file as one rejected row if it has none, or its dates can be read two ways.
    """
    before, entries = split(text)
    order = date_order(entries) if dates == "auto" else dates
    if not entries:
        yield Rejected(file, 1, "file without a message of WhatsApp", "")
        return
    if order is None:
        yield Rejected(file, 1, "file with ambiguous dates: set ingest.whatsapp_dates", "")
        return
    if before.strip():
        yield Rejected(file, 1, "text before the first message", before)
    for number, entry in enumerate(entries, start=1):
        yield parse(file, number, entry, order)


def split(text: str) -> tuple[str, list[Entry]]:
    """Split a file into what comes before the first date, and entries."""
    lines = text.split("\n")
    heads = [(place, match) for place, line in enumerate(lines) if (match := _HEADER.match(line))]
    if not heads:
        return text, []
    ends = [*(place for place, _ in heads[1:]), len(lines)]
    entries = []
    for (place, date), end in zip(heads, ends, strict=True):
        body = [lines[place][date.end() :], *lines[place + 1 : end]]
        entries.append(Entry(place + 1, date, "\n".join(line.removesuffix("\r") for line in body)))
    return "\n".join(lines[: heads[0][0]]), entries


def date_order(entries: Sequence[Entry]) -> Order | None:
    """Tell whether days or months come first in the dates of a file.

    Numbers above 12 are days, and tell; else the order in which time goes backwards less often is the right one.

    Args:
        entries: in the order of the file.

    Returns:
        None if both are as likely, and not the same.
    """
    pairs = [(int(e.date["first"]), int(e.date["second"])) for e in entries if len(e.date["first"]) <= 2]
    days_first, months_first = sum(a > 12 for a, _ in pairs), sum(b > 12 for _, b in pairs)
    if days_first == months_first:
        by_day = [moment(entry.date, "day_first") for entry in entries]
        by_month = [moment(entry.date, "month_first") for entry in entries]
        if by_day == by_month:
            return "day_first"
        days_first, months_first = _steps_back(by_month), _steps_back(by_day)
    if days_first == months_first:
        return None
    return "day_first" if days_first > months_first else "month_first"


def _steps_back(moments: Sequence[datetime | None]) -> int:
    return sum(after < before for before, after in pairwise(m for m in moments if m))


def moment(date: re.Match[str], order: Order) -> datetime | None:
    """Read a date and time; None if there is no such moment since 1970."""
    first, second, third = (int(date[name]) for name in ("first", "second", "third"))
    if len(date["first"]) == 4:
        year, month, day = first, second, third
    else:
        day, month = (first, second) if order == "day_first" else (second, first)
        year = third if len(date["third"]) == 4 else 2000 + third
    hour = int(date["hour"])
    if date["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if date["half"] in "pP" else 0)
    try:
        found = datetime(year, month, day, hour, int(date["minute"]), int(date["seconds"] or 0), tzinfo=UTC)
    except ValueError:
        return None
    return found if found >= EPOCH else None


def parse(file: str, number: int, entry: Entry, order: Order) -> Item:
    """Read one entry.

    Args:
        file: its file below the folder of logs.
        number: its number in the file, from 1.
        entry: its date, and what follows.
        order: what comes first in dates.

    Returns:
        The message, the kind of report, or the entry as it is with a reason.
    """
    sent_at = moment(entry.date, order)
    if sent_at is None:
        return _rejected(file, entry, "date: no such moment")
    named, line = _SENDER.match(entry.body), entry.body.strip(_MARKS + " \n")
    if named is None or whatsapp_event(line):
        return Automated(file, entry.line, whatsapp_notice(INSERTED + line) or "event", _raw(entry))
    sender = named[1].strip(_AROUND)
    if not sender or len(sender) > MAX_IDENTIFIER:
        return _rejected(file, entry, f"sender: not 1 to {MAX_IDENTIFIER} characters")
    said = entry.body[named.end() :].rstrip(_MARKS + " \n")
    own, attached = _ATTACHED.subn("", said.removesuffix(_EDITED))
    text = own.strip(_MARKS + " \n")
    if kind := "media" if attached and not text else whatsapp_notice(own.strip(" \n")):
        return Automated(file, entry.line, kind, _raw(entry))
    return Message(
        file=file,
        line=entry.line,
        conversation_id=Path(file).relative_to(NAME).with_suffix("").as_posix(),
        message_id=str(number),
        sender=sender,
        sent_at=sent_at,
        text=text,
    )


def _rejected(file: str, entry: Entry, reason: str) -> Rejected:
    return Rejected(file, entry.line, reason, _raw(entry))


def _raw(entry: Entry) -> str:
    return entry.date[0] + entry.body
