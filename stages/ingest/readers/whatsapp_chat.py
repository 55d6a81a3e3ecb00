"""One conversation of WhatsApp: what becomes of each entry, by what all of the file tells."""

from __future__ import annotations

from dataclasses import dataclass

from stages.common.messages import Automated, Message, Rejected, Row
from stages.ingest.readers.rows import MAX_IDENTIFIER
from stages.ingest.readers.whatsapp_dates import Order, moment
from stages.ingest.readers.whatsapp_entries import AROUND, Entry
from stages.ingest.readers.whatsapp_notices import (
    INSERTED,
    Event,
    repeated_placeholders,
    said,
    whatsapp_event,
    whatsapp_notice,
)
from stages.ingest.readers.whatsapp_people import People, group_names


@dataclass(frozen=True, slots=True)
class Chat:
    """A file, and what must be known of all of it to read one entry."""

    file: str
    entries: list[Entry]
    order: Order
    #: Senders who are the group itself.
    groups: frozenset[str]
    placeholders: frozenset[str]
    people: People

    @classmethod
    def of(cls, file: str, conversation_id: str, entries: list[Entry], order: Order) -> Chat:
        """Look through all entries of a file."""
        placeholders = repeated_placeholders(entry.said.strip(AROUND + "\n") for entry in entries)
        return cls(file, entries, order, group_names(entries), placeholders, People(conversation_id))

    def parse(self, number: int, entry: Entry) -> Row:
        """Read one entry.

        Args:
            number: its number in the file, from 1.
            entry: its date, and what follows.

        Returns:
            The message, the kind of report, or the entry as it is with a reason.
        """
        sent_at = moment(entry.header, self.order)
        if sent_at is None:
            return self._rejected(entry, "date: no such moment")
        line, named = entry.body.strip(AROUND + "\n"), entry.named
        if named is None or (_may_hold_a_colon(named) and whatsapp_event(line)):
            return self._reported(entry, whatsapp_event(line) or Event(_kind(line), ()))
        sender = named.strip(AROUND)
        if not sender or len(sender) > MAX_IDENTIFIER:
            return self._rejected(entry, f"sender: not 1 to {MAX_IDENTIFIER} characters")
        if event := self._event(sender, entry.said):
            return self._reported(entry, event)
        found = said(entry.said, self.placeholders)
        self.people.names.update(found.names)
        self.people.senders.add(sender)
        if found.kind:
            return Automated(self.file, entry.line, found.kind, entry.raw)
        return Message(
            file=self.file,
            line=entry.line,
            conversation_id=self.people.conversation_id,
            message_id=str(number),
            sender=sender,
            sent_at=sent_at,
            text=found.text,
        )

    def _event(self, sender: str, text: str) -> Event | None:
        line = text.strip(AROUND + "\n")
        if sender in self.groups or text.startswith(INSERTED) or line.startswith(f"{sender} "):
            return whatsapp_event(line)
        return None

    def _reported(self, entry: Entry, event: Event) -> Automated:
        self.people.names.update(event.names)
        self.people.is_group |= event.kind == "group"
        return Automated(self.file, entry.line, event.kind, entry.raw)

    def _rejected(self, entry: Entry, reason: str) -> Rejected:
        return Rejected(self.file, entry.line, reason, entry.raw)


def _may_hold_a_colon(name: str) -> bool:
    # What a group was called, in quotes, or what is said of encryption.
    return any(quote in name for quote in '“"') or "end-to-end" in name


def _kind(line: str) -> str:
    return whatsapp_notice(INSERTED + line) or "event"
