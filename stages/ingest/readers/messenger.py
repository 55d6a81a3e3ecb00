"""Facebook Messenger: folders of `message_N.json`, one folder a conversation, JSON export of one's own data.

The newest messages come first, in `message_1.json`. Texts are UTF-8 read as Latin-1 ("Ã©" for "é"); this is undone
wherever it can be. Messages have no ids: the place in the export stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from stages.common.messages import Automated, Item, Message, Rejected
from stages.ingest.readers.exports import documents, find
from stages.ingest.readers.mojibake import repair
from stages.ingest.readers.notices import messenger_notice
from stages.ingest.readers.reactions import reaction_of
from stages.ingest.readers.rows import EPOCH, ExportRow, Identifier, Milliseconds, Text, parsed

NAME = "messenger"

_FILE = re.compile(r"message_(\d+)\.json", re.IGNORECASE)

#: Keys of what is sent without words, and their kinds.
_MEDIA = {
    "photos": "photo",
    "videos": "video",
    "audio_files": "audio",
    "gifs": "gif",
    "sticker": "sticker",
    "files": "file",
    "share": "link",
}


class Row(ExportRow):
    """One element of `messages`."""

    sender_name: Identifier
    timestamp_ms: Milliseconds
    content: Text | None = None
    reactions: object = None


def read(logs: Path) -> Iterator[Item]:
    """Read every conversation, oldest message first.

    Args:
        logs: the folder of logs; the export lies in its subfolder `messenger`.

    Returns:
        One item a message.

    Raises:
        DataError: if the subfolder holds no such export.
    """
    export = find(logs, NAME, lambda path: _number(path) is not None, "message_1.json and so on")
    export.files.sort(key=lambda path: (path.parent, -(_number(path) or 0)))
    return documents(export, parse_file, hook=repaired)


def _number(path: Path) -> int | None:
    name = _FILE.fullmatch(path.name)
    return int(name[1]) if name else None


def repaired(row: dict[str, Any]) -> dict[str, Any]:
    """Undo the mojibake in the texts of an object of the export, where it can be undone."""
    return {key: repair(value) if isinstance(value, str) else value for key, value in row.items()}


def parse_file(file: str, data: Any) -> Iterator[Item]:
    """Read one file.

    Args:
        file: its name below the folder of logs; its folder is the conversation.
        data: its content.

    Yields:
        One item a message, oldest first; the whole file as one rejected row if it is not such an export.
        `line` is the number of the message in the file, from 1.
    """
    messages = data.get("messages") if isinstance(data, dict) else None
    if not isinstance(messages, list) or not messages:
        yield Rejected(file, 1, "file without a list of messages", "")
        return
    rows = sorted(enumerate(messages, start=1), key=lambda row: (_time(row[1]), -row[0]))
    yield from parsed(file, rows, partial(parse, file))


def _time(raw: Any) -> int:
    time = raw.get("timestamp_ms") if isinstance(raw, dict) else None
    return time if isinstance(time, int) else 0


def parse(file: str, number: int, raw: Any) -> Item:
    """Read one message.

    Args:
        file: its file below the folder of logs.
        number: its number in the file, from 1.
        raw: one element of `messages`, repaired.

    Returns:
        The message, or the kind of what was sent in place of words.

    Raises:
        ValidationError: if a field is missing or of another type.
    """
    row = Row.model_validate(raw)
    if kind := _kind(row, raw):
        return Automated(file, number, kind)
    path = Path(file)
    return Message(
        file=file,
        line=number,
        conversation_id=path.parent.relative_to(NAME).as_posix(),
        message_id=f"{_number(path)}-{number}",
        sender=row.sender_name,
        sent_at=EPOCH + timedelta(milliseconds=row.timestamp_ms),
        text=row.content or "",
        reaction=reaction_of(_votes(row)),
    )


def _kind(row: Row, raw: dict[str, Any]) -> str | None:
    if raw.get("is_unsent"):
        return "unsent"
    if raw.get("type") == "Call" or "call_duration" in raw:
        return "call"
    if raw.get("type") in ("Subscribe", "Unsubscribe"):
        return "membership"
    if row.content:
        return messenger_notice(row.content, row.sender_name)
    return next((kind for key, kind in _MEDIA.items() if raw.get(key)), "no text")


def _votes(row: Row) -> Iterator[tuple[object, int]]:
    for vote in row.reactions if isinstance(row.reactions, list) else []:
        if isinstance(vote, dict) and vote.get("actor") != row.sender_name:
            yield vote.get("reaction"), 1
