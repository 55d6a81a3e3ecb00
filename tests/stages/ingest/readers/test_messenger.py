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

from stages.common.messages import Message, Participant, Rejected
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
    assert [(m.sender, m.text, m.reaction) for m in talk] == [
        ("Ann Weaver", "how are you, José?", None),
        ("José Peña", "¡buenas! all good here", "love"),
        ("Ann Weaver", "what was that noise?", None),
        ("José Peña", "haha that was the dog", "funny"),  # his own two hearts do not count
        ("Ann Weaver", "see you at the café ☕", None),
    ]
    assert talk[0].message_id == "1704110430000-95d5fa4b4896c2b2"
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
    lines = [item.line for fate in (messages, rejected, automated) for item in fate]
    assert sorted(lines) == list(range(1, len(rows) + 2))
    assert any(message.line == 1 for message in messages)


@given(VALUES)
def test_other_json_is_one_rejected_file(data: Any) -> None:
    (item,) = messenger.parse_file(FILE, data)
    assert isinstance(item, Rejected)


def export(folder: Path, name: str, data: Any) -> None:
    path = folder / "messenger" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


SECRET: dict[str, Any] = {
    "participants": ["Ann", "Ben"],
    "threadName": "Ben_7",
    "messages": [
        {"isUnsent": False, "media": [], "reactions": [{"actor": "Ann", "reaction": "❤"}], "senderName": "Ben",
         "text": "one", "timestamp": 1700000000000, "type": "text"},
        {"isUnsent": False, "media": [{"uri": "x"}], "senderName": "Ann", "text": "", "timestamp": 1700000001000},
        {"isUnsent": True, "media": [], "senderName": "Ann", "text": "", "timestamp": 1700000002000},
        {"isUnsent": False, "media": [], "senderName": "Ann", "text": "two", "timestamp": 1700000003000},
    ],
}  # fmt: skip


@pytest.mark.parametrize("step", [1, -1])
def test_encrypted_conversations_are_read_in_their_own_form_whichever_end_comes_first(
    tmp_path: Path, step: int
) -> None:
    export(tmp_path, "Ben_7.json", {**SECRET, "messages": SECRET["messages"][::step]})
    export(tmp_path, "autofill_information.json", {"participants": "no thread"})
    messages, rejected, automated = fates(messenger.read(tmp_path))
    assert [(m.conversation_id, m.sender, m.text, m.reaction) for m in messages] == [
        ("encrypted/Ben_7", "Ben", "one", "love"), ("encrypted/Ben_7", "Ann", "two", None),
    ]  # fmt: skip
    assert rejected == []
    assert sorted(item.kind for item in automated) == ["media", "unsent"]


def test_a_bad_row_of_an_encrypted_conversation_is_rejected_by_its_own_field() -> None:
    rows = [{**SECRET["messages"][0], "timestamp": "x"}]
    (rejected,) = fates(messenger.parse_file("messenger/x.json", {**SECRET, "messages": rows}))[1]
    assert rejected.reason == "timestamp: int_type"


def test_one_thread_over_two_archives_is_one_conversation(tmp_path: Path) -> None:
    for part, second in (("part2", 20), ("part1", 10)):
        row = {**ROW, "timestamp_ms": second}
        export(tmp_path, f"{part}/inbox/c_1/message_1.json", {"messages": [row], "thread_path": "inbox/c_1"})
    assert {m.conversation_id for m in fates(messenger.read(tmp_path))[0]} == {"inbox/c_1"}


@pytest.mark.parametrize("path", [None, 7, " ", "a\nb", "x" * 2000])
def test_a_thread_without_a_path_is_its_folder(path: Any) -> None:
    (message,), _, _ = fates(messenger.parse_file(FILE, {"messages": [ROW], "thread_path": path}))
    assert message.conversation_id == "inbox/c"


def test_the_same_message_has_the_same_id_in_every_file_and_place(tmp_path: Path) -> None:
    rows = [{**ROW, "content": text} for text in ("a", "b")] + [{**ROW, "sender_name": "Ben"}]
    export(tmp_path, "inbox/c/message_1.json", {"messages": rows})
    export(tmp_path, "inbox/c/message_1 (1).json", {"messages": rows})
    export(tmp_path, "inbox/c/message_2.json", {"messages": rows[1:]})
    ids = Counter(m.message_id for m in fates(messenger.read(tmp_path))[0])
    assert sorted(ids.values()) == [2, 3, 3]


def test_names_are_those_of_participants_titles_who_reacts_joins_or_gets_a_nickname() -> None:
    notices = [
        "Ann set the nickname for Ben to Petra N.", "Ann set her own nickname to Queen",
        "You set your nickname to Q", "Ann set the nickname of the game", "Ben set the nickname for Ann to Zorblax",
    ]  # fmt: skip
    rows = [{**ROW, "content": text, "reactions": []} for text in notices]
    rows += [ROW, {**ROW, "type": "Subscribe", "users": [{"name": "Carl"}]}]
    data = {"participants": [{"name": "Ann"}, {"name": "Dora"}], "title": "Dora D", "messages": rows}
    found = [item for item in messenger.parse_file(FILE, data) if isinstance(item, Participant)]
    assert {item.conversation_id for item in found} == {"inbox/c"}
    assert [(item.name, item.sender) for item in found] == [
        ("Ann", "Ann"), ("Dora", "Dora"), ("Dora D", None), ("Petra N", "Ben"), ("Queen", "Ann"), ("Q", None),
        ("Ben", "Ben"), ("Carl", "Carl"),
    ]  # fmt: skip


def test_the_title_of_a_group_is_nobodys_name() -> None:
    data = {"participants": ["Ann", "Ben", "Carl"], "title": "Lunch Club", "messages": [ROW]}
    found = [item.name for item in messenger.parse_file(FILE, data) if isinstance(item, Participant)]
    assert found == ["Ann", "Ben", "Carl"]
    secret = [item.name for item in messenger.parse_file(FILE, SECRET) if isinstance(item, Participant)]
    assert secret == ["Ann", "Ben"]
