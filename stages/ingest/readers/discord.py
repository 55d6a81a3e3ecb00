"""Discord: JSON files of DiscordChatExporter, one a channel."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stages.common.messages import Automated, Item, Message, Rejected
from stages.ingest.readers.exports import documents, find
from stages.ingest.readers.reactions import reaction_of
from stages.ingest.readers.rows import ExportRow, Identifier, Moment, Text, parsed, reason

NAME = "discord"

#: Types of message that people write.
_WRITTEN = ("Default", "Reply")

_TYPES = {
    "Call": "call",
    "RecipientAdd": "membership",
    "RecipientRemove": "membership",
    "GuildMemberJoin": "membership",
    "ChannelNameChange": "group",
    "ChannelIconChange": "group",
    "ChannelPinnedMessage": "group",
    "ThreadCreated": "group",
}

#: Keys of what is sent without words, and their kinds.
_MEDIA = {"attachments": "file", "stickers": "sticker", "embeds": "link"}


class Author(ExportRow):
    """Who wrote a message."""

    id: Identifier
    isBot: bool = False  # noqa: N815  (the export's own name)


class Row(ExportRow):
    """One element of `messages`."""

    id: Identifier
    type: str
    timestamp: Moment
    content: Text
    author: Author
    reactions: object = None


class Channel(ExportRow):
    """What the messages of a file were written in."""

    id: Identifier


class File(ExportRow):
    """One file."""

    channel: Channel
    messages: list[Any]


def read(logs: Path) -> Iterator[Item]:
    """Read every channel.

    Args:
        logs: the folder of logs; the exports lie in its subfolder `discord`.

    Returns:
        One item a message.

    Raises:
        DataError: if the subfolder holds no JSON file.
    """
    export = find(logs, NAME, _is_channel, "*.json of DiscordChatExporter")
    return documents(export, parse_file)


def _is_channel(path: Path) -> bool:
    # The exporter puts what people attached beside the channel, in a folder of its name.
    return path.suffix.lower() == ".json" and not path.parent.name.endswith("_Files")


def parse_file(file: str, data: Any) -> Iterator[Item]:
    """Read one file.

    Args:
        file: its name below the folder of logs.
        data: its content.

    Yields:
        One item a message; the whole file as one rejected row if it is not such an export. `line` is the number
        of the message in the file, from 1.
    """
    try:
        content = File.model_validate(data)
    except ValidationError as error:
        yield Rejected(file, 1, f"file not of DiscordChatExporter: {reason(error)}", "")
        return
    if not content.messages:
        yield Rejected(file, 1, "file without messages", "")
    yield from parsed(file, enumerate(content.messages, start=1), partial(parse, file, content.channel.id))


def parse(file: str, channel: str, number: int, raw: Any) -> Item:
    """Read one message.

    Args:
        file: its file below the folder of logs.
        channel: id of the channel.
        number: its number in the file, from 1.
        raw: one element of `messages`.

    Returns:
        The message, or the kind of what was sent in place of words.

    Raises:
        ValidationError: if a field is missing or of another type.
    """
    kind = raw.get("type") if isinstance(raw, dict) else None
    if isinstance(kind, str) and kind not in _WRITTEN:
        return Automated(file, number, _TYPES.get(kind, "service"))
    row = Row.model_validate(raw)
    if not row.content and (media := next((kind for key, kind in _MEDIA.items() if raw.get(key)), None)):
        return Automated(file, number, media)
    return Message(
        file=file,
        line=number,
        conversation_id=channel,
        message_id=row.id,
        sender=row.author.id,
        sent_at=row.timestamp,
        text=row.content,
        reaction=reaction_of(_votes(row)),
        role="bot" if row.author.isBot else "user",
    )


def _votes(row: Row) -> Iterator[tuple[object, int]]:
    for vote in row.reactions if isinstance(row.reactions, list) else []:
        if isinstance(vote, dict) and isinstance(count := vote.get("count"), int):
            emoji, users = vote.get("emoji"), vote.get("users")
            voters = users if isinstance(users, list) else []
            own = sum(isinstance(voter, dict) and voter.get("id") == row.author.id for voter in voters)
            yield emoji.get("name") if isinstance(emoji, dict) else None, count - own
