"""What a chat of Telegram says beside its messages: topics of a forum, and the names of who takes part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from stages.ingest.readers.participants import Named, child, listed, objects

#: The topic of a forum in which everything is that is in no other.
_GENERAL = "1"


def identifier(value: object) -> str | None:
    """An id as text; None if it is neither a number nor text."""
    return str(value) if type(value) is int or isinstance(value, str) else None


def answered(raw: Any) -> str | None:
    """Id of the message that one replies to; None if it is in another chat."""
    elsewhere = not isinstance(raw, dict) or "reply_to_peer_id" in raw
    return None if elsewhere else identifier(raw.get("reply_to_message_id"))


def topics_of(messages: Sequence[Any]) -> list[str | None]:
    """Tell the topic of each message of a chat.

    A topic begins with a service message. Who writes in it replies to that one, or to somebody who did.

    Args:
        messages: of the chat, oldest first.

    Returns:
        The id of each one's first message; None in the general topic, and in chats without topics.
    """
    topics: dict[str | None, str] = {}
    found: list[str | None] = []
    for raw in messages:
        row = raw if isinstance(raw, dict) else {}
        own = identifier(row.get("id"))
        begun = own if row.get("action") == "topic_created" else None
        given = identifier(row.get("topic_id"))
        topic = begun or topics.get(answered(row)) or (None if given == _GENERAL else given)
        if topic and own:
            topics[own] = topic
        found.append(topic)
    return found


def chat_names(chat: Any) -> Iterator[Named]:
    """The name of a chat between two, which is the other one's."""
    row = chat if isinstance(chat, dict) else {}
    if row.get("type") == "personal_chat":
        yield row.get("name"), _user(row.get("id"))


def names(raw: Any) -> Iterator[Named]:
    """Names in a message: of its sender, of who does or suffers what it reports, of contacts and mentions."""
    if not isinstance(raw, dict):
        return
    yield raw.get("from"), identifier(raw.get("from_id"))
    yield raw.get("actor"), identifier(raw.get("actor_id"))
    yield from ((member, None) for member in listed(raw, "members"))
    contact = child(raw, "contact_information")
    yield " ".join(str(part) for key in ("first_name", "last_name") if (part := contact.get(key))), None
    for reaction in objects(raw, "reactions"):
        yield from ((who.get("from"), identifier(who.get("from_id"))) for who in objects(reaction, "recent"))
    for part in objects(raw, "text"):
        if part.get("type") == "mention_name":
            yield part.get("text"), _user(part.get("user_id"))


def _user(number: object) -> str | None:
    return f"user{number}" if identifier(number) else None
