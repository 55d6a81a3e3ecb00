"""Who takes part, as an export tells: names from fields that may hold anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from stages.common.messages import Participant
from stages.ingest.readers.rows import MAX_IDENTIFIER

#: A name and the id that messages of its bearer have, as they came out of JSON.
Named = tuple[Any, Any]


def participants(named: Iterable[tuple[str, Any, Any]]) -> Iterator[Participant]:
    """List those who take part, each once.

    Args:
        named: a conversation, a name and a sender's id, None where the export does not say.

    Yields:
        Whoever has a name that can be written, in the order of their first mention.
    """
    known = (
        Participant(conversation, name.strip(), sender if _is_text(sender) else None)
        for conversation, name, sender in named
        if _is_text(name)
    )
    yield from dict.fromkeys(known)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_IDENTIFIER and _encodable(value)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def listed(row: Any, key: str) -> list[Any]:
    """Elements of a list in an object; none if it is no such object, or has no list there."""
    value = row.get(key) if isinstance(row, dict) else None
    return value if isinstance(value, list) else []


def objects(row: Any, key: str) -> list[dict[str, Any]]:
    """Objects of a list in an object, as `listed`."""
    return [element for element in listed(row, key) if isinstance(element, dict)]


def child(row: Any, key: str) -> dict[str, Any]:
    """An object in an object; empty if there is none."""
    value = row.get(key) if isinstance(row, dict) else None
    return value if isinstance(value, dict) else {}
