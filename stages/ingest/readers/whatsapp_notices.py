"""What WhatsApp itself writes into exports, in its own letter case and punctuation: "poll: who comes?" is talk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from stages.ingest.readers.notices import notices_of, rows_of
from stages.ingest.readers.whatsapp_dates import MARKS

#: What an iPhone's exports put before all that nobody typed.
INSERTED = "\u200e"

#: Messages of a file that share a placeholder of unknown words.
REPEATED = 2

_TEXTS, _MARKED = (notices_of("whatsapp", where, re.DOTALL) for where in ("text", "marked"))
_EVENTS = notices_of("whatsapp", "event", re.NOFLAG, end=r"\.?")
_EDITED = tuple(pattern for _, pattern in rows_of("whatsapp", "edited"))
_FIRST_LINE = "|".join(pattern for _, pattern in rows_of("whatsapp", "attached"))
_ATTACHED = re.compile(rf"\A(?:{_FIRST_LINE})(?:\n|\Z)")
_FILE = re.compile("|".join(pattern for _, pattern in rows_of("whatsapp", "inserted")))
_CONTACT = re.compile(r"(?P<name>[^\n<>:]+)\.vcf\b", re.IGNORECASE)
# Words in any language, not "<3" or "<grin>"; behind a text too.
_PLACEHOLDER = re.compile(r"<\u200e?(?=[^<>]*[ \u00a0]|[^<>]*[^\x00-\x7f])[^\W\d_][^<>\n]*>\Z")
_AROUND = MARKS + " \n"
_BETWEEN_NAMES = re.compile(r", | and | & ")


@dataclass(frozen=True, slots=True)
class Said:
    """What is behind a sender's name: a text, or the kind of what stands in its place."""

    text: str
    kind: str | None
    #: Whom it names that the file need not name elsewhere.
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """What WhatsApp reports: its kind, and whom it names."""

    kind: str
    names: tuple[str, ...]


def placeholder_at_end(text: str) -> str | None:
    """Find what may be a placeholder at the end of a text: `<words>`, or what an iPhone would have marked."""
    if text.endswith(">"):
        found = _PLACEHOLDER.match(text, max(text.rfind("<"), 0))
        return found[0] if found else None
    return text if len(text) < 30 and _MARKED.kind_of(text) else None


def repeated_placeholders(texts: Iterable[str]) -> frozenset[str]:
    """List the placeholders of whatever language that several messages of a file share."""
    counts = Counter(found for text in texts if (found := placeholder_at_end(text)))
    return frozenset(found for found, messages in counts.items() if messages >= REPEATED)


def said(text: str, placeholders: frozenset[str]) -> Said:
    """Tell what a person wrote from what WhatsApp put in its place, before it and behind it.

    Args:
        text: what stands behind a sender's name.
        placeholders: those of the file, beyond the table's.

    Returns:
        The text, or the kind of what stands in its place.
    """
    written = _unedited(text.rstrip(_AROUND), placeholders)
    own, names = _without_files(written)
    if own == written and (kind := whatsapp_notice(own.strip(" \n"), placeholders)):
        return Said("", kind)
    first, _, caption = own.strip(_AROUND).partition("\n")
    if first.startswith("<") and whatsapp_notice(first, placeholders) == "media":
        own = caption
    shown = own.strip(_AROUND)
    if shown or own == text:
        return Said(shown, None, names)
    return Said("", "contact" if names else "media", names)


def _unedited(text: str, placeholders: frozenset[str]) -> str:
    start = text.rfind("<")
    if text.endswith(_EDITED):
        return text[:start].rstrip(_AROUND)
    # A placeholder alone in its line stands for a picture; behind words it says that they were changed.
    before = text[:start].rstrip(MARKS + " ") if start > 0 and placeholder_at_end(text) in placeholders else ""
    return before if before and not before.endswith("\n") else text


def _without_files(text: str) -> tuple[str, tuple[str, ...]]:
    files = [found[0] for pattern in (_ATTACHED, _FILE) if (found := pattern.search(text))]
    names = tuple(
        name for file in files if (contact := _CONTACT.search(file)) and (name := contact["name"].strip(_AROUND))
    )
    return _FILE.sub("", _ATTACHED.sub("", text)), names


def whatsapp_notice(text: str, placeholders: frozenset[str] = frozenset()) -> str | None:
    """Tell what WhatsApp puts in the place of a text, or None if a person wrote it.

    Args:
        text: what stands behind a sender's name, with the mark that an iPhone puts before what it inserts.
        placeholders: those of the file, beyond the table's.

    Returns:
        The kind of notice; "event" for what stands behind the mark and is of no known kind.
    """
    shown = text.removeprefix(INSERTED)
    if kind := _TEXTS.kind_of(shown):
        return kind
    if shown in placeholders:
        return "media"
    if shown == text:
        return None
    event = whatsapp_event(shown)
    return _MARKED.kind_of(shown) or (event.kind if event else "event")


def whatsapp_event(line: str) -> Event | None:
    """Read a line that reports what somebody did, or None if it is none that is known.

    Args:
        line: without date, marks and spaces around it.

    Returns:
        Its kind, and whom it names.
    """
    found = _EVENTS.match(line)
    if found is None:
        return None
    names = [
        name
        for group, listed in found.groupdict().items()
        if group.startswith("name") and listed
        for name in _BETWEEN_NAMES.split(listed)
    ]
    return Event(_EVENTS.kinds[found.lastgroup or ""], tuple(name for name in names if name.lower() != "you"))
