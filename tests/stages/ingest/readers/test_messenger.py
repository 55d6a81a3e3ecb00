"""Messenger: mojibake undone, oldest first, and what nobody typed told apart."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.messages import Message, Rejected
from stages.ingest.readers import messenger
from stages.ingest.readers.mojibake import repair
from stages.ingest.readers.notices import messenger_notice
from tests.fixtures import LOGS, VALUES, fates, rows_like

FILE = "messenger/inbox/c/message_1.json"
ROW: dict[str, Any] = {
    "sender_name": "Ann",
    "timestamp_ms": 1704110400000,
    "content": "Hi",
    "reactions": [{"reaction": "👍", "actor": "Ben"}],
}


def write(folder: Path, content: str) -> None:
    path = folder / FILE
    path.parent.mkdir(parents=True)
    path.write_text(content)


def test_the_fixture_is_read_oldest_first_and_repaired() -> None:
    messages, rejected, automated = fates(messenger.read(LOGS))
    assert rejected == []
    talk = [m for m in messages if m.conversation_id == "inbox/josepena_10203"]
    assert [(m.message_id, m.sender, m.text, m.reaction) for m in talk] == [
        ("2-2", "Ann Weaver", "how are you, José?", None),
        ("2-1", "José Peña", "¡buenas! all good here", "love"),
        ("1-5", "Ann Weaver", "what was that noise?", None),
        ("1-4", "José Peña", "haha that was the dog", "funny"),  # his own two hearts do not count
        ("1-1", "Ann Weaver", "see you at the café ☕", None),
    ]
    assert talk[0].sent_at == datetime(2024, 1, 1, 12, 0, 30, tzinfo=UTC)
    assert talk[0].file == "messenger/inbox/josepena_10203/message_2.json"
    club = [m for m in messages if m.conversation_id == "inbox/bookclub_777"]
    assert [(m.text, m.reaction) for m in club] == [
        ("has everyone finished it?", None),
        ("chapter nine is the best one", "offensive"),  # one thumb, one angry face: the less favourable
        ("Ann Weaver left the group, or so she says", None),
    ]
    assert Counter(item.kind for item in automated) == {
        "call": 3, "contact": 1, "game": 1, "group": 1, "media": 1, "photo": 1, "sticker": 1, "unsent": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("CafÃ©", "Café"),
        ("ð\x9f\x98\x80", "😀"),
        ("Café", "Café"),  # was right before
        ("naïve Ã©", "naïve Ã©"),  # half of it was: nothing can be undone
        ("Привет", "Привет"),
        ("plain", "plain"),
        ("\ud83d", "\ud83d"),
    ],
)
def test_mojibake_is_undone_only_where_it_can_be(text: str, repaired: str) -> None:
    assert repair(text) == repaired


@given(st.text())
def test_whatever_was_garbled_is_restored(text: str) -> None:
    assert repair(text.encode().decode("latin-1")) == text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Ann joined the call.", "call"),
        ("You missed a video call from Ben.", "call"),
        ("Ann named the group Trip: 2024.", "group"),
        ("Ann set the nickname for Ben to Benny.", "group"),
        ("You sent an attachment.", "media"),
        ("Ann sent 3 photos.", "media"),
        ("Ann added Ben to the group.", "membership"),
        ("Ann sent Ben a game request.", "game"),
        ("Ann reacted 😆 to your message", "reaction"),
        ("You are now connected on Messenger", "contact"),
        ("Reacted 😆 to your message ", "reaction"),
        ("Liked a message", "reaction"),
        ("Ben missed your call.", "call"),
        ("The video call ended.", "call"),
        ("Audio call ended", "call"),
        ("Ann shared a story.", "media"),
        ("Ann shared a reel.", "media"),
        ("Ann's poll: where to?", "poll"),
        ("This poll is no longer available.", "poll"),
        ("Ann is waving at you!", "reaction"),
        ("Ann replied to your story", "story"),
        ("Mentioned you in their story", "story"),
        ("This message was unsent", "unsent"),
        ("Ann changed the theme to Love.", "group"),
        ("Ann set your nickname to Petra N.", "group"),
        ("Ann shared a taxi with me", None),
        ("ben missed your call, he said", None),
        ("I missed your call.", None),
        ("Ann's poll numbers are great", None),
        ("Anna joined the call.", None),
        ("the call ended badly", None),
        ("Liked a message of yours, did he?", None),
        ("Ben joined the call.", None),  # Ann, about Ben
        ("You missed a great party", None),
        ("You sent a photo of the wrong dog", None),
        ("Ann is my name", None),
        ("I joined the call.", None),
    ],
)
def test_notices_are_told_from_talk(text: str, kind: str | None) -> None:
    assert messenger_notice(text, "Ann") == kind


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"timestamp_ms": -1}, "timestamp_ms: greater_than_equal"),
        ({"timestamp_ms": 253402300800000}, "timestamp_ms: less_than"),
        ({"timestamp_ms": "1704110400000"}, "timestamp_ms: int_type"),
        ({"sender_name": " "}, "sender_name: string_pattern_mismatch"),
        ({"content": "\ud83d Zorblax"}, "content: lone_surrogate"),
        ({"content": ["Zorblax"]}, "content: string_type"),
    ],
)
def test_a_bad_row_is_rejected_with_field_and_kind(change: dict[str, Any], reason: str) -> None:
    rows = [ROW, {**ROW, **change}]
    messages, (rejected,), _ = fates(messenger.parse_file(FILE, {"messages": rows}))
    assert (len(messages), rejected.line, rejected.reason) == (1, 2, reason)
    assert json.loads(rejected.row.encode("utf-8", "backslashreplace")).keys() == ROW.keys()


def test_a_clock_that_ran_backwards_is_put_in_order(tmp_path: Path) -> None:
    rows = [{**ROW, "content": str(n), "timestamp_ms": t} for n, t in ((3, 30), (2, 10), (1, 20))]
    write(tmp_path, json.dumps({"messages": rows}))
    items = list(messenger.read(tmp_path))
    assert [item.text for item in items if isinstance(item, Message)] == ["2", "1", "3"]


def test_a_notice_is_not_sought_in_a_long_text() -> None:
    assert messenger_notice("Ann changed " + "a vote " * 200_000, "Ann") is None


@given(st.lists(rows_like(ROW), max_size=4))
def test_no_row_is_lost_and_none_breaks_the_others(rows: list[Any]) -> None:
    items = list(messenger.parse_file(FILE, {"messages": [ROW, *rows]}))
    messages, rejected, automated = fates(items)
    assert len(messages) + len(rejected) + len(automated) == len(rows) + 1
    places = [*(m.line for m in messages), *(r.line for r in rejected), *(a.line for a in automated)]
    assert sorted(places) == list(range(1, len(rows) + 2))
    assert any(message.line == 1 for message in messages)


@given(VALUES)
def test_other_json_is_one_rejected_file(data: Any) -> None:
    (item,) = messenger.parse_file(FILE, data)
    assert isinstance(item, Rejected)
