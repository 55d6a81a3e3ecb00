"""Discord: people and bots, replies, and what nobody typed told apart."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.errors import DataError
from stages.common.messages import Participant, Rejected
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


def taking_part(data: dict[str, Any]) -> list[tuple[str, str | None]]:
    found = [item for item in discord.parse_file(FILE, data) if isinstance(item, Participant)]
    assert {item.conversation_id for item in found} <= {"5"}
    return [(item.name, item.sender) for item in found]


def test_names_are_those_of_authors_of_who_is_mentioned_reacts_or_gave_a_command_but_not_of_bots() -> None:
    row = {
        **ROW,
        "author": {"id": "7", "name": "ann", "nickname": "Sleepy Mango"},
        "mentions": [{"id": "8", "name": "ben", "nickname": None}, "Zorblax", {"id": ["x"], "name": "carl"}],
        "reactions": [{"users": [{"id": "9", "name": "dora", "nickname": "Dora D"}]}],
        "interaction": {"user": {"id": "10", "name": "eve"}},
    }
    bot = {**ROW, "id": "2", "author": {"id": "11", "name": "dice", "isBot": True}}
    assert taking_part({"channel": {"id": "5"}, "messages": [row, bot, row]}) == [
        ("ann", "7"), ("Sleepy Mango", "7"), ("ben", "8"), ("carl", None), ("eve", "10"), ("dora", "9"),
        ("Dora D", "9"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "names"), [("DirectTextChat", ["Ben", "Carl"]), ("GuildTextChat", []), (None, [])]
)
def test_a_channel_between_people_is_named_after_them(kind: str | None, names: list[str]) -> None:
    row = {**ROW, "author": {"id": "7"}}
    channel = {"id": "5", "type": kind, "name": "Ben, Carl"}
    assert [name for name, _ in taking_part({"channel": channel, "messages": [row]})] == names


@pytest.mark.parametrize(
    ("kind", "reference", "answered"),
    [
        ("Reply", {"messageId": "3", "channelId": "5"}, "3"),
        ("19", {"messageId": "3"}, "3"),
        ("Reply", {"messageId": "3", "channelId": "6"}, None),
        ("Reply", {"messageId": None}, None),
        ("Reply", "Zorblax", None),
        ("Default", {"messageId": "3"}, None),  # a forward, or a post from another channel
    ],
)
def test_a_reply_says_which_message_of_its_channel_it_answers(
    kind: str, reference: Any, answered: str | None
) -> None:
    (message,), _, _ = read({**ROW, "type": kind, "reference": reference})
    assert message.reply_to == answered


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"forwardedMessage": {"content": "words of somebody"}}, "forward"),
        ({"poll": {"question": "q"}}, "poll"),
        ({"stickers": [{"id": "1"}]}, "sticker"),
        ({}, "no text"),
        ({"type": "21"}, "group"),
        ({"type": "ChatInputCommand", "content": "/roll"}, "command"),
        ({"type": "UserPremiumGuildSubscription"}, "service"),
    ],
)
def test_what_nobody_typed_has_its_kind(change: dict[str, Any], kind: str) -> None:
    assert [item.kind for item in read({**ROW, "content": "", **change})[2]] == [kind]


def test_parts_of_a_channel_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "discord").mkdir()
    for number, name in enumerate(["a [5]", "a [5] [part 2]", "a [5] [part 10]", "b [6]"]):
        data = {"channel": {"id": "5"}, "messages": [{**ROW, "id": str(number)}]}
        (tmp_path / "discord" / f"{name}.json").write_text(json.dumps(data))
    assert [message.message_id for message in fates(discord.read(tmp_path))[0]] == ["0", "1", "2", "3"]
