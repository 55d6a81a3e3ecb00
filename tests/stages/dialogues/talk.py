"""Talk for tests: rows of a messages table in a few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from stages.common.messages import MESSAGES

START = datetime(2024, 1, 1, tzinfo=UTC)

#: Conversation, sender, seconds, text.
Said = tuple[str, str, float, str]


def messages(*rows: Said) -> pl.DataFrame:
    """Make a messages table; a text with "!" was found funny."""
    full = [
        {
            "source": "s",
            "conversation_id": conversation,
            "message_id": f"{n}",
            "sender": sender,
            "sent_at": START + timedelta(seconds=at),
            "order": n,
            "text": text,
            "reaction": "funny" if "!" in text else None,
            "role": "user",
            "reply_to": None,
        }
        for n, (conversation, sender, at, text) in enumerate(rows)
    ]
    return pl.DataFrame(full, schema=MESSAGES)
