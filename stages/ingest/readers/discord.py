"""Discord: JSON files of DiscordChatExporter, one a channel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stages.common.messages import Automated, Item, Message, Rejected
from stages.ingest.readers.exports import documents, find
from stages.ingest.readers.participants import Named, child, objects, participants
from stages.ingest.readers.reactions import reaction_of
from stages.ingest.readers.rows import ExportRow, Identifier, Moment, Text, parsed, reason

NAME = "discord"

#: Types of message that people write; those that the exporter has no word for are numbers.
_REPLIES = ("Reply", "19")
_WRITTEN = ("Default", "0", *_REPLIES)

_TYPES = {
    "Call": "call",
    "RecipientAdd": "membership",
    "RecipientRemove": "membership",
    "GuildMemberJoin": "membership",
    "ChannelNameChange": "group",
    "ChannelIconChange": "group",
    "ChannelPinnedMessage": "group",
    "ThreadCreated": "group",
    "21": "group",  # a thread's first message, which stands in the channel already
    "ChatInputCommand": "command",
    "20": "command",
    "ContextMenuCommand": "command",
    "23": "command",
}

#: Channels that are named after those in them.
_DIRECT = ("DirectTextChat", "DirectGroupTextChat")

#: A channel that was exported in several files: the first has no number.
_PART = re.compile(r" \[part (\d+)\]$", re.IGNORECASE)

#: Keys of what is sent without words, and their kinds.
_MEDIA = {
    "attachments": "file",
    "stickers": "sticker",
    "embeds": "link",
    "poll": "poll",
    "forwardedMessage": "forward",
}


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
    export.files.sort(key=_part)
    return documents(export, parse_file)


def _part(path: Path) -> tuple[Path, int]:
    found = _PART.search(path.stem)
    return path.with_name(_PART.sub("", path.stem)), int(found[1]) if found else 1


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
    channel = content.channel.id
    yield from parsed(file, enumerate(content.messages, start=1), partial(parse, file, channel))
    named = [*_members(child(data, "channel")), *(pair for raw in content.messages for pair in names(raw))]
    yield from participants((channel, *pair) for pair in named)


def _members(channel: dict[str, Any]) -> Iterator[Named]:
    name = channel.get("name")
    if channel.get("type") in _DIRECT and isinstance(name, str):
        yield from ((part, None) for part in name.split(", "))


def names(raw: Any) -> Iterator[Named]:
    """Names of people in a message: of its author, of who is mentioned, reacts, or gave a command."""
    people = [child(raw, "author"), *objects(raw, "mentions"), child(child(raw, "interaction"), "user")]
    people += [user for reaction in objects(raw, "reactions") for user in objects(reaction, "users")]
    for person in people:
        if not person.get("isBot"):
            yield from ((person.get(key), person.get("id")) for key in ("name", "nickname"))


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
    if not row.content:
        return Automated(file, number, next((kind for key, kind in _MEDIA.items() if raw.get(key)), "no text"))
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
        reply_to=_answered(raw, channel) if kind in _REPLIES else None,
    )


def _answered(raw: dict[str, Any], channel: str) -> str | None:
    reference = child(raw, "reference")
    found = reference.get("messageId")
    here = reference.get("channelId") in (None, channel)
    return found if here and isinstance(found, str) else None


def _votes(row: Row) -> Iterator[tuple[object, int]]:
    for vote in row.reactions if isinstance(row.reactions, list) else []:
        if isinstance(vote, dict) and isinstance(count := vote.get("count"), int):
            emoji, users = vote.get("emoji"), vote.get("users")
            voters = users if isinstance(users, list) else []
            own = sum(isinstance(voter, dict) and voter.get("id") == row.author.id for voter in voters)
            yield emoji.get("name") if isinstance(emoji, dict) else None, count - own
