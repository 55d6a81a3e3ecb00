"""The packaged chit-chat data: 7,168 real conversations of two people each (`chitchat_dataset`, MIT)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from stages.table import Message, Rejected

FILE = "dataset.json"


def read(_logs: Path) -> Iterator[Message | Rejected]:
    """Read the packaged data.

    Args:
        _logs: plays no part.

    Yields:
        The messages of every conversation, in the order of the package. `line` is the running number of the
        message in the file, from 1, since the file is one line.
    """
    data = json.loads(resources.files("chitchat_dataset").joinpath(FILE).read_text(encoding="utf-8"))
    number = 0
    for conversation_id, conversation in data.items():
        turns = conversation["messages"]
        for place, raw in enumerate((message for turn in turns for message in turn), start=1):
            number += 1
            yield parse(number, conversation_id, place, raw)


def parse(number: int, conversation_id: str, place: int, raw: dict[str, Any]) -> Message | Rejected:
    """Read one message.

    Args:
        number: its running number in the file, from 1.
        conversation_id: the package's id.
        place: its running number in the conversation, from 1; becomes its id.
        raw: `text`, `timestamp` (ISO 8601, UTC) and `sender`.

    Returns:
        The message, or the row as JSON with a reason that names the field.
    """
    try:
        return Message(
            file=FILE,
            line=number,
            conversation_id=conversation_id,
            message_id=str(place),
            sender=raw["sender"],
            sent_at=datetime.fromisoformat(raw["timestamp"]),
            text=raw["text"],
        )
    except KeyError as error:
        reason = f"{error.args[0]}: missing"
    except ValueError:
        reason = "timestamp: not ISO 8601"
    return Rejected(FILE, number, reason, json.dumps(raw, ensure_ascii=False))
