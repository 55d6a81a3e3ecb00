"""Telegram Desktop: `result.json` of one chat ("Export chat history") or of an account ("Export Telegram data")."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from stages.common.messages import Automated, Item, Message, Rejected
from stages.ingest.readers.exports import documents, find
from stages.ingest.readers.participants import participants
from stages.ingest.readers.reactions import reaction_of
from stages.ingest.readers.rows import ExportRow, Identifier, Moment, Text, parsed, reason
from stages.ingest.readers.telegram_chats import answered, chat_names, names, topics_of

NAME = "telegram"

_FILE = re.compile(r"result.*\.json", re.IGNORECASE)

_SERVICES = {
    "phone_call": "call",
    "group_call": "call",
    "invite_to_group_call": "call",
    "invite_members": "membership",
    "remove_members": "membership",
    "join_group_by_link": "membership",
    "join_group_by_request": "membership",
    "joined_telegram": "membership",
    "create_group": "group",
    "create_channel": "group",
    "edit_group_title": "group",
    "edit_group_photo": "group",
    "edit_chat_theme": "group",
    "topic_created": "group",
    "topic_edit": "group",
    "pin_message": "group",
    "score_in_game": "game",
}

#: Keys of what is sent without words, and their kinds; `media_type` says more about a file.
_MEDIA = {
    "photo": "photo",
    "file": "file",
    "poll": "poll",
    "todo_list": "todo",
    "invoice_information": "invoice",
    "paid_stars_amount": "paid media",
    "giveaway_information": "giveaway",
    "giveaway_results": "giveaway",
    "place_name": "venue",
    "location_information": "location",
    "contact_information": "contact",
    "game_title": "game",
}
#: Keys of words that the sender did not write.
_NOT_OWN = {"forwarded_from": "forward", "via_bot": "bot"}
_MEDIA_TYPES = {
    "sticker": "sticker",
    "voice_message": "audio",
    "audio_file": "audio",
    "video_message": "video",
    "video_file": "video",
    "animation": "gif",
}


def _joined(text: object) -> object:
    # A text with a link, a mention or a word in bold is a list: plain strings, and objects with a `text`.
    try:
        return "".join(p if isinstance(p, str) else p["text"] for p in text) if isinstance(text, list) else text
    except (TypeError, KeyError):
        raise PydanticCustomError("not_text", "neither text nor a list of parts") from None


def _written(number: object) -> object:
    return str(number) if type(number) is int else number


Number = Annotated[Identifier, BeforeValidator(_written)]


class Chat(ExportRow):
    """One chat."""

    id: Number
    type: object = None
    messages: list[Any]


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a message was said.

    Attributes:
        conversation: a chat, or a topic of it.
        topic: id of the message that the topic begins with, if any.
        bot: id of the bot whose chat this is, if any.
    """

    conversation: str
    topic: str | None = None
    bot: str | None = None


class Row(ExportRow):
    """One element of `messages`."""

    id: Number
    type: str
    from_id: Number
    text: Annotated[Text, BeforeValidator(_joined)]
    #: Old exports have only `date`, in local time without an offset, which is taken as UTC.
    sent_at: Moment = Field(validation_alias=AliasChoices("date_unixtime", "date"))
    reactions: object = None


def read(logs: Path) -> Iterator[Item]:
    """Read every chat.

    Args:
        logs: the folder of logs; the export lies in its subfolder `telegram`.

    Returns:
        One item a message.

    Raises:
        DataError: if the subfolder holds no such export.
    """
    export = find(logs, NAME, lambda path: bool(_FILE.fullmatch(path.name)), "result.json")
    return documents(export, parse_file)


def parse_file(file: str, data: Any) -> Iterator[Item]:
    """Read one file.

    Args:
        file: its name below the folder of logs. Its folder is part of conversation ids, since two accounts number
            their chats alike.
        data: its content.

    Yields:
        One item a message; a chat, or the whole file, that is not one of Telegram's as one rejected row. `line` is
        the number of the message in the file, from 1.
    """
    chats = list(_chats(data))
    if not any(isinstance(chat, dict) and chat.get("messages") for chat in chats):
        yield Rejected(file, 1, "file without a list of messages", "")
        return
    folder = Path(file).parent.relative_to(NAME)
    line = 0
    for raw in chats:
        try:
            chat = Chat.model_validate(raw)
        except ValidationError as error:
            yield Rejected(file, line + 1, f"chat: {reason(error)}", "")
            continue
        threads = dict(enumerate(_threads((folder / chat.id).as_posix(), chat), start=line + 1))
        rows = dict(zip(threads, chat.messages, strict=True))
        yield from parsed(file, rows.items(), partial(parse, file, threads))
        # A chat's own name belongs to each of its threads.
        within = {thread.conversation for thread in threads.values()}
        yield from participants((where, *named) for where in sorted(within) for named in chat_names(raw))
        yield from participants(
            (threads[number].conversation, *named) for number, row in rows.items() for named in names(row)
        )
        line += len(chat.messages)


def _threads(conversation: str, chat: Chat) -> Iterator[Thread]:
    bot = f"user{chat.id}" if chat.type == "bot_chat" else None
    for topic in topics_of(chat.messages):
        yield Thread(f"{conversation}/topic-{topic}" if topic else conversation, topic, bot)


def _chats(data: Any) -> Iterator[Any]:
    if not isinstance(data, dict):
        return
    if "messages" in data:
        yield data
    for key in ("chats", "left_chats"):
        part = data.get(key)
        listed = part.get("list") if isinstance(part, dict) else None
        yield from listed if isinstance(listed, list) else []


def parse(file: str, threads: Mapping[int, Thread], number: int, raw: Any) -> Item:
    """Read one message.

    Args:
        file: its file below the folder of logs.
        threads: where each message of its chat was said.
        number: its number in the file, from 1.
        raw: one element of `messages`.

    Returns:
        The message, or the kind of what is not a message in its sender's own words.

    Raises:
        ValidationError: if a field is missing or of another type.
    """
    kind = raw.get("type") if isinstance(raw, dict) else None
    if isinstance(kind, str) and kind != "message":
        return Automated(file, number, _known(_SERVICES, raw.get("action"), "service"))
    row = Row.model_validate(raw)
    if kind := _kind_of(row, raw):
        return Automated(file, number, kind)
    thread, reply_to = threads[number], answered(raw)
    return Message(
        file=file,
        line=number,
        conversation_id=thread.conversation,
        message_id=row.id,
        sender=row.from_id,
        sent_at=row.sent_at,
        text=row.text,
        reaction=reaction_of(_votes(row)),
        role="bot" if row.from_id == thread.bot else "user",
        reply_to=None if reply_to == thread.topic else reply_to,
    )


def _kind_of(row: Row, raw: dict[str, Any]) -> str | None:
    for key, kind in _NOT_OWN.items():
        if key in raw:
            return kind
    if row.text:
        return None
    media = next((kind for key, kind in _MEDIA.items() if key in raw), "no text")
    return _known(_MEDIA_TYPES, raw.get("media_type"), media)


def _known(kinds: dict[str, str], value: object, other: str) -> str:
    return kinds.get(value, other) if isinstance(value, str) else other


def _votes(row: Row) -> Iterator[tuple[object, int]]:
    for vote in row.reactions if isinstance(row.reactions, list) else []:
        if isinstance(vote, dict) and isinstance(count := vote.get("count"), int):
            recent = vote.get("recent")
            voters = recent if isinstance(recent, list) else []
            own = sum(isinstance(voter, dict) and voter.get("from_id") == row.from_id for voter in voters)
            yield vote.get("emoji"), count - own
