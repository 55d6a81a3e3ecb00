"""Who takes part in a conversation of WhatsApp beside its senders, and which sender is the name of the group."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from stages.common.messages import Participant
from stages.ingest.readers.rows import MAX_IDENTIFIER
from stages.ingest.readers.whatsapp_entries import AROUND, Entry
from stages.ingest.readers.whatsapp_notices import INSERTED, whatsapp_event

#: How phones name the file of a chat, `{}` being whom it is with, or the group.
TITLES = (
    "WhatsApp Chat with {}", "WhatsApp Chat - {}", "Chat with {}", "WhatsApp-Chat mit {}", "WhatsApp-chat met {}",
    "Chat de WhatsApp con {}", "Chat WhatsApp con {}", "Discussion WhatsApp avec {}", "Conversa do WhatsApp com {}",
)  # fmt: skip

#: Reports of one sender, who says nothing else, that make it a group; one of encryption is enough.
REPORTS = 2

_TITLE = re.compile("|".join(re.escape(title).replace(r"\{\}", "(.+)") for title in TITLES), re.IGNORECASE)
_COPY = re.compile(r"\s*\(\d+\)\Z")


def title_of(file: str) -> str | None:
    """Read whom a chat is with from the name of its file, or of the folder that an iPhone makes for it."""
    path = PurePosixPath(file)
    name = path.parent.name if path.stem.startswith("_chat") else path.stem
    found = _TITLE.fullmatch(_COPY.sub("", name).replace("_", " ").strip(AROUND))
    return next(group for group in found.groups() if group) if found else None


def group_names(entries: Iterable[Entry]) -> frozenset[str]:
    """List the senders who are the group itself: all that they say is what WhatsApp reports."""
    reports: Counter[str] = Counter()
    people = set()
    for entry in entries:
        if entry.named is None or (sender := entry.named.strip(AROUND)) in people:
            continue
        text = entry.said
        if event := whatsapp_event(text.strip(AROUND + "\n")):
            reports[sender] += REPORTS if event.kind == "notice" else 1
        elif not text.startswith(INSERTED):
            people.add(sender)
    return frozenset(sender for sender, count in reports.items() if count >= REPORTS and sender not in people)


@dataclass(slots=True)
class People:
    """Names of one conversation, as they come up."""

    conversation_id: str
    names: set[str] = field(default_factory=set)
    senders: set[str] = field(default_factory=set)
    #: Whether something was reported that happens in groups only.
    is_group: bool = False

    def participants(self, title: str | None) -> list[Participant]:
        """List whom the messages do not name as senders.

        Args:
            title: of the chat; if there are but two, the name of one of them.

        Returns:
            One item a name, sorted.
        """
        names = {name.strip(AROUND) for name in self.names}
        if title and not self.is_group and len(self.senders) <= 2:
            names.add(title.strip(AROUND))
        told = sorted(name for name in names - self.senders if any(map(str.isalpha, name)))
        return [Participant(self.conversation_id, name) for name in told if len(name) <= MAX_IDENTIFIER]
