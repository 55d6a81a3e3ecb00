"""WhatsApp: text files from "Export chat", one a conversation.

    [31/12/23, 21:14:05] Ann: a message            from an iPhone
    12/31/23, 9:14 PM - Ann: a message             from Android; the form of the date is the phone's
    that goes on in a second line
    12/31/23, 9:15 PM - Ann left                   what WhatsApp itself reports has no sender, or the group's name

Times have no zone: they are taken as UTC, so only the gaps between them are real. Messages have no ids: their place
in the file stands in.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from stages.common.messages import Item, Rejected
from stages.ingest.readers.exports import Export, find, read_text, shown
from stages.ingest.readers.whatsapp_chat import Chat
from stages.ingest.readers.whatsapp_dates import Order
from stages.ingest.readers.whatsapp_entries import heads_of, own_form, sender_of, split, with_typed_lines
from stages.ingest.readers.whatsapp_people import title_of
from stages.ingest.readers.whatsapp_profile import (
    Phones,
    Profile,
    Siblings,
    contradiction,
    lines_of,
    own_heads,
    profile_of,
)

NAME = "whatsapp"

Dates = Literal["auto", "day_first", "month_first", "year_first"]


def read(logs: Path, dates: Dates | Mapping[str, Dates] = "auto") -> Iterator[Item]:
    """Read every conversation.

    Args:
        logs: the folder of logs; the exports lie in its subfolder `whatsapp`.
        dates: what comes first in dates, or that by patterns of files below the subfolder; `auto` decides for each
            file.

    Returns:
        One item a message or report, and who takes part.

    Raises:
        DataError: if the subfolder holds no text file.
    """
    return _items(find(logs, NAME, lambda path: path.suffix.lower() == ".txt", "*.txt of WhatsApp"), dates)


def _items(export: Export, dates: Dates | Mapping[str, Dates]) -> Iterator[Item]:
    yield from export.rejected
    phones, guessed = Phones(export), Counter[Order]()
    for path in export.files:
        file = shown(path, export.logs)
        text = read_text(path, file)
        if isinstance(text, Rejected):
            yield text
            continue
        yield from parse_file(file, text, _dates_of(file, dates), partial(phones.evidence, path), guessed)
    if guessed:
        counts = ", ".join(f"{order}: {files}" for order, files in guessed.items())
        sys.stderr.write(
            f"{NAME}: files whose dates can be read two ways, read as phones of their form write them: {counts}; "
            "next: if that is wrong, set ingest.whatsapp_dates\n"
        )


def _dates_of(file: str, dates: Dates | Mapping[str, Dates]) -> Dates:
    if isinstance(dates, str):
        return dates
    path = PurePosixPath(file).relative_to(NAME).as_posix()
    return next((order for pattern, order in dates.items() if fnmatchcase(path, pattern)), "auto")


def parse_file(
    file: str,
    text: str,
    dates: Dates = "auto",
    siblings: Siblings = lambda _: {},
    guessed: Counter[Order] | None = None,
) -> Iterator[Item]:
    """Read one file.

    Args:
        file: its name below the folder of logs, which is the conversation.
        text: its content.
        dates: what comes first in dates.
        siblings: evidence of other files of the same form.
        guessed: counts the files of which only the form of the headers tells the order of dates.

    Yields:
        One item an entry, then who takes part; the whole file as one rejected row if it has no entry, or is of two
        exports.
    """
    lines = lines_of(text)
    heads = heads_of(lines)
    if not heads:
        yield Rejected(file, 1, "file without a message of WhatsApp", "")
        return
    if dates == "auto":
        profile = profile_of(lines, heads, siblings)
    else:
        profile = Profile(own_form(lines, heads), dates, found=False)
    own, pasted = own_heads(heads, profile)
    if refused := contradiction(file, heads, own):
        yield refused
        return
    before, entries = split(lines, own)
    if before.strip():
        yield Rejected(file, 1, "text before the first message", before)
    conversation_id = PurePosixPath(file).relative_to(NAME).with_suffix("").as_posix()
    chat = Chat.of(file, conversation_id, list(with_typed_lines(entries, profile.order)), profile.order)
    chat.people.names.update(filter(None, (sender_of(head.rest) for head in pasted)))
    for number, entry in enumerate(chat.entries, start=1):
        yield chat.parse(number, entry)
    yield from chat.people.participants(title_of(file))
    if guessed is not None and not profile.told:
        guessed[profile.order] += 1
