"""Who takes part in a conversation of Messenger: an export names people, and has no other ids for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stages.ingest.readers.participants import Named, listed, objects

#: What Messenger reports of a new nickname, in English.
_NICKNAME = re.compile(
    r"(?:set the nickname for (?P<whose>.+?)|set (?P<own>your|(?:his|her|their|its|my)(?: own)?) nickname)"
    r" to (?P<name>.+?)\.?",
    re.DOTALL,
)
_MAX_NOTICE = 1000

#: What ends the name of an encrypted conversation.
_NUMBER = re.compile(r"_\d+$")


def thread_names(data: Any) -> Iterator[Named]:
    """Names in the head of a file: of those in the conversation, and its title, if it has no other."""
    people = [who.get("name") if isinstance(who, dict) else who for who in listed(data, "participants")]
    yield from ((name, name) for name in people)
    if len(people) <= 2 and isinstance(data, dict):
        yield from ((title, None) for title in _titles(data) if title not in people)


def _titles(data: dict[str, Any]) -> Iterator[str]:
    if isinstance(title := data.get("title"), str):
        yield title
    if isinstance(name := data.get("threadName"), str):
        yield _NUMBER.sub("", name)


def names(raw: Any) -> Iterator[Named]:
    """Names in a message: of its sender, of who reacts, of who joins, and nicknames that somebody got."""
    if not isinstance(raw, dict):
        return
    sender = raw.get("sender_name", raw.get("senderName"))
    yield sender, sender
    yield from ((vote.get("actor"), vote.get("actor")) for vote in objects(raw, "reactions"))
    yield from ((user.get("name"), user.get("name")) for user in objects(raw, "users"))
    yield from _nickname(raw.get("content", raw.get("text")), sender)


def _nickname(text: Any, sender: Any) -> Iterator[Named]:
    if not isinstance(text, str) or not isinstance(sender, str) or len(text) > _MAX_NOTICE:
        return
    for actor in (f"{sender} ", "You "):
        if text.startswith(actor) and (found := _NICKNAME.fullmatch(text.removeprefix(actor))):
            own = sender if found["own"] and found["own"] != "your" else None
            yield found["name"], found["whose"] or own
