"""The packaged chit-chat data: 7,168 real conversations of two people each (`chitchat_dataset`, MIT)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from stages.common.messages import Feedback, Item, Message
from stages.ingest.readers.rows import ExportRow, Identifier, Moment, Rating, Text, parsed

FILE = "dataset.json"


class Row(ExportRow):
    """One message."""

    text: Text
    timestamp: Moment
    sender: Identifier


class Rated(ExportRow):
    """What one of the two thought of a conversation; which of them, the package does not say."""

    ratings: Mapping[str, Rating]


def read(_logs: Path) -> Iterator[Item]:
    """Read the packaged data.

    Args:
        _logs: plays no part.

    Yields:
        The messages of every conversation, and its ratings, in the order of the package. `line` is the running
        number of the message in the file, from 1, since the file is one line; of ratings, that of the conversation.
    """
    data = json.loads(resources.files("chitchat_dataset").joinpath(FILE).read_text(encoding="utf-8"))
    before = 0
    for place, (conversation_id, conversation) in enumerate(data.items(), start=1):
        messages = [message for turn in conversation["messages"] for message in turn]
        yield from parsed(FILE, enumerate(messages, start=before + 1), partial(parse, conversation_id, before))
        before += len(messages)
        rated = [(place, conversation)] if "ratings" in conversation else []
        yield from parsed(FILE, rated, partial(parse_ratings, conversation_id))


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


def parse_ratings(conversation_id: str, number: int, raw: Any) -> Item:
    """Read the ratings of one conversation.

    Args:
        conversation_id: the package's id.
        number: its place in the package, from 1.
        raw: the conversation.

    Returns:
        The feedback.

    Raises:
        ValidationError: if a rating is none.
    """
    return Feedback(FILE, number, conversation_id, Rated.model_validate(raw).ratings)
