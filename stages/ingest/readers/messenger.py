"""Facebook Messenger: folders of `message_N.json`, one folder a conversation, JSON export of one's own data.

The newest messages come first, in `message_1.json`. Texts are UTF-8 read as Latin-1 ("Ã©" for "é"); this is undone
wherever it can be. Encrypted conversations are exported apart, one file each, with other names for the same fields.
Messages have no ids: time, sender and text stand in, so that two downloads of one account agree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field

from stages.common.messages import Automated, Item, Message, Rejected
from stages.ingest.readers.exports import documents, find
from stages.ingest.readers.messenger_names import names, thread_names
from stages.ingest.readers.mojibake import repair
from stages.ingest.readers.notices import messenger_notice
from stages.ingest.readers.participants import participants
from stages.ingest.readers.reactions import reaction_of
from stages.ingest.readers.rows import EPOCH, MAX_IDENTIFIER, ExportRow, Identifier, Milliseconds, Text, parsed

NAME = "messenger"

#: A browser numbers a file that it has already.
_FILE = re.compile(r"message_(\d+)(?: ?\(\d+\))?\.json", re.IGNORECASE)

#: Tells the export of an encrypted conversation from whatever else is JSON, and the bytes among which it stands.
_ENCRYPTED = b'"threadName"'
_HEAD = 2**16

#: Keys of what is sent without words, and their kinds.
_MEDIA = {
    "photos": "photo",
    "videos": "video",
    "audio_files": "audio",
    "gifs": "gif",
    "sticker": "sticker",
    "files": "file",
    "share": "link",
    "media": "media",
}


class Row(ExportRow):
    """One element of `messages`."""

    sender_name: Identifier = Field(validation_alias=AliasChoices("sender_name", "senderName"))
    timestamp_ms: Milliseconds = Field(validation_alias=AliasChoices("timestamp_ms", "timestamp"))
    content: Text | None = Field(default=None, validation_alias=AliasChoices("content", "text"))
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
    export = find(logs, NAME, _is_thread, "message_1.json and so on")
    export.files.sort(key=lambda path: (path.parent, -(_number(path) or 0)))
    return documents(export, parse_file, hook=repaired)


def _is_thread(path: Path) -> bool:
    return _number(path) is not None or (path.suffix.lower() == ".json" and path.is_file() and _is_encrypted(path))


def _is_encrypted(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _ENCRYPTED in file.read(_HEAD)
    except OSError:
        return True  # to be reported when it is read


def _number(path: Path) -> int | None:
    name = _FILE.fullmatch(path.name)
    return int(name[1]) if name else None


def repaired(row: dict[str, Any]) -> dict[str, Any]:
    """Undo the mojibake in the texts of an object of the export, where it can be undone."""
    return {key: repair(value) if isinstance(value, str) else value for key, value in row.items()}


def parse_file(file: str, data: Any) -> Iterator[Item]:
    """Read one file.

    Args:
        file: its name below the folder of logs.
        data: its content, which names the conversation; else the folder does.

    Yields:
        One item a message, oldest first; the whole file as one rejected row if it is not such an export.
        `line` is the number of the message in the file, from 1.
    """
    messages = data.get("messages") if isinstance(data, dict) else None
    if not isinstance(messages, list) or not messages:
        yield Rejected(file, 1, "file without a list of messages", "")
        return
    conversation = _conversation(file, data)
    step = -1 if _time(messages[0]) >= _time(messages[-1]) else 1
    rows = sorted(list(enumerate(messages, start=1))[::step], key=lambda row: _time(row[1]))
    yield from parsed(file, rows, partial(parse, file, conversation))
    named = [*thread_names(data), *(pair for raw in messages for pair in names(raw))]
    yield from participants((conversation, *pair) for pair in named)


def _conversation(file: str, data: dict[str, Any]) -> str:
    # The same in every archive that a large export is split into.
    for key, form in (("thread_path", "{}"), ("threadName", "encrypted/{}")):
        path = data.get(key)
        if isinstance(path, str) and path.strip() and path.isprintable() and len(path) < MAX_IDENTIFIER:
            return form.format(path)
    return Path(file).parent.relative_to(NAME).as_posix()


def _time(raw: Any) -> int:
    time = raw.get("timestamp_ms", raw.get("timestamp")) if isinstance(raw, dict) else None
    return time if isinstance(time, int) else 0


def parse(file: str, conversation: str, number: int, raw: Any) -> Item:
    """Read one message.

    Args:
        file: its file below the folder of logs.
        conversation: its conversation.
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
    return Message(
        file=file,
        line=number,
        conversation_id=conversation,
        message_id=_identifier(row),
        sender=row.sender_name,
        sent_at=EPOCH + timedelta(milliseconds=row.timestamp_ms),
        text=row.content or "",
        reaction=reaction_of(_votes(row)),
    )


def _identifier(row: Row) -> str:
    said = f"{row.sender_name}\0{row.content}".encode()
    return f"{row.timestamp_ms}-{hashlib.blake2b(said, digest_size=8).hexdigest()}"


def _kind(row: Row, raw: dict[str, Any]) -> str | None:
    if raw.get("is_unsent") or raw.get("isUnsent"):
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
