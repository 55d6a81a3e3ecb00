"""The packaged chit-chat data: 7,168 real conversations of two people each (`chitchat_dataset`, MIT)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from stages.common.messages import Item, Message
from stages.ingest.readers.rows import ExportRow, Identifier, Moment, Text, parsed

FILE = "dataset.json"


class Row(ExportRow):
    """One message."""

    text: Text
    timestamp: Moment
    sender: Identifier


def read(_logs: Path) -> Iterator[Item]:
    """Read the packaged data.

    Args:
        _logs: plays no part.

    Yields:
        The messages of every conversation, in the order of the package. `line` is the running number of the
        message in the file, from 1, since the file is one line.
    """
    data = json.loads(resources.files("chitchat_dataset").joinpath(FILE).read_text(encoding="utf-8"))
    before = 0
    for conversation_id, conversation in data.items():
        messages = [message for turn in conversation["messages"] for message in turn]
        yield from parsed(FILE, enumerate(messages, start=before + 1), partial(parse, conversation_id, before))
        before += len(messages)


def parse(conversation_id: str, before: int, number: int, raw: Any) -> Item:
    """Read one message.

    Args:
        conversation_id: the package's id.
        before: messages of the file before its conversation; its place after them becomes its id.
        number: its running number in the file, from 1.
        raw: `text`, `timestamp` (ISO 8601, UTC) and `sender`.

    Returns:
        The message.

    Raises:
        ValidationError: if a field is missing or of another type.
    """
    row = Row.model_validate(raw)
    return Message(
        file=FILE,
        line=number,
        conversation_id=conversation_id,
        message_id=str(number - before),
        sender=row.sender,
        sent_at=row.timestamp,
        text=row.text,
    )
