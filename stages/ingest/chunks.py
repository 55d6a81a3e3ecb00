"""Items as tables: chunks of what a reader yields, and files that grow by them: no log needs to fit in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from stages.common.messages import (
    FEEDBACK,
    MESSAGES,
    PARTICIPANTS,
    QUARANTINE,
    Automated,
    Feedback,
    Item,
    Message,
    Participant,
    Rejected,
)

#: Items and characters held as Python objects at a time, whichever is reached first: about 100 MB.
CHUNK_ITEMS = 50_000
CHUNK_CHARACTERS = 10_000_000

#: Characters of a message that is still chat; the apps themselves allow 65,536 at most.
MAX_TEXT = 100_000

#: Characters of a rejected row that are kept: enough to see what is wrong with it.
MAX_ROW = 10_000

#: A messages table that still knows where each row came from.
PLACED = pl.Schema({**MESSAGES, "file": pl.String(), "line": pl.Int64()})
#: Feedback, likewise.
PLACED_FEEDBACK = pl.Schema({**FEEDBACK, "file": pl.String(), "line": pl.Int64()})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True)
class Chunk:
    """Some of a reader's items, by kind, each in the order of the source."""

    messages: list[Message] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    automated: list[Automated] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    participants: set[Participant] = field(default_factory=set)
    characters: int = 0

    @property
    def items(self) -> int:
        """Number of rows."""
        return len(self.messages) + len(self.rejected) + len(self.automated) + len(self.feedback)

    def add(self, item: Item) -> None:
        """Sort an item in; a message too long to be chat is rejected."""
        if isinstance(item, Message):
            if len(item.text) <= MAX_TEXT:
                self.messages.append(item)
                self.characters += len(item.text)
            else:
                self.rejected.append(_too_long(item))
        elif isinstance(item, Rejected):
            self.rejected.append(_cut(item))
            self.characters += min(len(item.row), MAX_ROW)
        elif isinstance(item, Automated):
            self.automated.append(item)
            self.characters += len(item.row)
        elif isinstance(item, Feedback):
            self.feedback.append(item)
        else:
            self.participants.add(item)


def _too_long(message: Message) -> Rejected:
    shown = {"conversation_id": message.conversation_id, "sender": message.sender, "text": message.text[:MAX_ROW]}
    row = json.dumps(shown, ensure_ascii=False)[:MAX_ROW]
    return Rejected(message.file, message.line, f"text: longer than {MAX_TEXT} characters", row)


def _cut(rejected: Rejected) -> Rejected:
    if len(rejected.row) <= MAX_ROW:
        return rejected
    return Rejected(rejected.file, rejected.line, rejected.reason, rejected.row[:MAX_ROW])


def chunks(items: Iterable[Item], size: int = CHUNK_ITEMS) -> Iterator[Chunk]:
    """Sort items, a bounded number at a time.

    Args:
        items: what a reader yields.
        size: items in a chunk, at most.

    Yields:
        Chunks, in the order of the source; none is empty.
    """
    chunk = Chunk()
    for count, item in enumerate(items, start=1):
        chunk.add(item)
        if count % size == 0 or chunk.characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk = Chunk()
    if chunk.items or chunk.participants:
        yield chunk


def message_table(source: str, messages: Sequence[Message], first: int) -> pl.DataFrame:
    """Make a table of messages.

    Args:
        source: the reader's name; prefixed to conversation ids, so that sources cannot collide.
        messages: one a row.
        first: `order` of the first.

    Returns:
        A table with the columns of `PLACED`.
    """
    columns: dict[str, Sequence[Any]] = {
        "source": [source] * len(messages),
        "conversation_id": [f"{source}/{m.conversation_id}" for m in messages],
        "message_id": [m.message_id for m in messages],
        "sender": [m.sender for m in messages],
        "sent_at": [(m.sent_at - _EPOCH) // _MILLISECOND for m in messages],
        "order": range(first, first + len(messages)),
        "text": [m.text for m in messages],
        "reaction": [m.reaction for m in messages],
        "role": [m.role for m in messages],
        "reply_to": [m.reply_to for m in messages],
        "file": [m.file for m in messages],
        "line": [m.line for m in messages],
    }
    return pl.DataFrame([pl.Series(name, columns[name]).cast(kind) for name, kind in PLACED.items()])


def feedback_table(source: str, feedback: Iterable[Feedback]) -> pl.DataFrame:
    """Make a table of feedback.

    Args:
        source: the reader's name; prefixed to conversation ids, as in `message_table`.
        feedback: one or more rows each.

    Returns:
        A table with the columns of `PLACED_FEEDBACK`.
    """
    rows = [
        (source, f"{source}/{given.conversation_id}", given.rater, scale, rating, given.file, given.line)
        for given in feedback
        for scale, rating in given.ratings.items()
    ]
    return pl.DataFrame(rows, schema=PLACED_FEEDBACK, orient="row")


def rejected_table(source: str, rejected: Sequence[Rejected]) -> pl.DataFrame:
    """Make a table of rejected rows.

    Args:
        source: the reader's name.
        rejected: one a row.

    Returns:
        A table with the columns of `QUARANTINE`.
    """
    # Halves of surrogate pairs, which no encoding holds, are spelled out: a row is for people to look at.
    rows = [
        (source, r.file, r.line, r.reason, r.row.encode("utf-8", "backslashreplace").decode()) for r in rejected
    ]
    return pl.DataFrame(rows, schema=QUARANTINE, orient="row")


def automated_table(source: str, automated: Iterable[Automated]) -> pl.DataFrame:
    """Make a table of automated rows: as `rejected_table`, with their kind as the reason."""
    rows = [Rejected(item.file, item.line, f"automated: {item.kind}", item.row[:MAX_ROW]) for item in automated]
    return rejected_table(source, rows)


def participant_table(source: str, participants: Iterable[Participant]) -> pl.DataFrame:
    """Make a table of participants.

    Args:
        source: the reader's name; prefixed to conversation ids, as in `message_table`.
        participants: one a row.

    Returns:
        A table with the columns of `PARTICIPANTS`, sorted.
    """
    rows = [(source, f"{source}/{p.conversation_id}", p.sender, p.name) for p in participants]
    return pl.DataFrame(rows, schema=PARTICIPANTS, orient="row").sort(PARTICIPANTS.names())


def sender_table(messages: pl.DataFrame) -> pl.DataFrame:
    """List who wrote some messages, by conversation, as participants: erased people too, who are spoken of."""
    known = messages.select("source", "conversation_id", "sender").unique()
    return known.with_columns(name="sender").sort(PARTICIPANTS.names())


@contextmanager
def appended(path: Path, schema: pl.Schema) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Write one parquet file table by table.

    Args:
        path: the file to write; whole once the context is left.
        schema: the columns of every table.

    Yields:
        A function that appends a table.
    """
    from pyarrow import parquet

    with parquet.ParquetWriter(path, schema.to_frame().to_arrow().schema) as writer:
        yield lambda table: writer.write_table(table.to_arrow()) if table.height else None
