"""Discord: people and bots, replies, and what nobody typed told apart."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.errors import DataError
from stages.common.messages import Rejected
from stages.ingest.readers import discord
from tests.fixtures import LOGS, VALUES, fates, rows_like

FILE = "discord/general.json"
ROW: dict[str, Any] = {
    "id": "1",
    "type": "Default",
    "timestamp": "2024-01-01T12:00:00.25+01:00",
    "content": "Hi",
    "author": {"id": "7", "name": "ann"},
    "reactions": [{"emoji": {"name": "👍"}, "count": 2, "users": [{"id": "7"}]}],
}


def read(*rows: Any) -> tuple[list[Any], list[Any], list[Any]]:
    return fates(discord.parse_file(FILE, {"channel": {"id": "5"}, "messages": list(rows)}))


def test_the_fixture_is_read_whole() -> None:
    messages, rejected, automated = fates(discord.read(LOGS))
    assert rejected == []
    assert [(m.message_id, m.sender, m.text, m.reaction, m.role) for m in messages] == [
        ("9002", "71", "hi, is anyone growing tomatoes?", None, "user"),
        ("9003", "72", "yes! mine are still green", "funny", "user"),
        ("9004", "99", "Welcome to the garden!", None, "bot"),
        ("9008", "71", "look at this one", None, "user"),
    ]
    assert {m.conversation_id for m in messages} == {"500"}
    assert messages[0].sent_at - datetime(2024, 1, 1, 12, tzinfo=UTC) == timedelta(seconds=5.25)
    assert Counter(item.kind for item in automated) == {"membership": 1, "file": 1, "sticker": 1, "call": 1}


def test_what_people_attached_is_no_channel(tmp_path: Path) -> None:
    (tmp_path / "discord" / "general.json_Files").mkdir(parents=True)
    (tmp_path / "discord" / "general.json_Files" / "attached.json").write_text("{}")
    with pytest.raises(DataError, match=r"expected \*\.json of DiscordChatExporter, got none \(1 other files"):
        discord.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"timestamp": "10000-01-01T00:00:00+00:00"}, "timestamp: not_a_date"),
        ({"timestamp": "1969-12-31T23:59:59+00:00"}, "timestamp: date_out_of_range"),
        ({"timestamp": 7}, "timestamp: not_a_date"),
        ({"author": {"id": 7}}, "author: id: string_type"),
        ({"author": {"id": "7", "isBot": "Zorblax"}}, "author: isBot: bool_type"),
        ({"content": None}, "content: string_type"),
    ],
)
def test_a_bad_row_is_rejected_with_field_and_kind(change: dict[str, Any], reason: str) -> None:
    messages, (rejected,), _ = read(ROW, {**ROW, **change})
    assert (len(messages), rejected.line, rejected.reason) == (1, 2, reason)


@given(st.lists(rows_like(ROW), max_size=4))
def test_no_row_is_lost_and_none_breaks_the_others(rows: list[Any]) -> None:
    messages, rejected, automated = read(ROW, *rows)
    assert sorted(item.line for item in [*messages, *rejected, *automated]) == list(range(1, len(rows) + 2))
    assert any(message.line == 1 for message in messages)


@given(VALUES)
def test_other_json_is_one_rejected_file(data: Any) -> None:
    (item,) = discord.parse_file(FILE, data)
    assert isinstance(item, Rejected)


def test_a_channel_without_messages_is_said() -> None:
    assert [r.reason for r in read()[1]] == ["file without messages"]
