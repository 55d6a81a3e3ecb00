"""Telegram: texts in parts, single chats and whole accounts, and what nobody typed told apart."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.messages import Message, Participant, Rejected
from stages.ingest.readers import telegram
from tests.fixtures import LOGS, VALUES, fates, rows_like

FILE = "telegram/result.json"
ROW: dict[str, Any] = {
    "id": 1,
    "type": "message",
    "date": "2024-01-01T12:00:00",
    "date_unixtime": "1704110400",
    "from_id": "user1",
    "text": "Hi",
    "reactions": [{"emoji": "👍", "count": 1, "recent": [{"from_id": "user2"}]}],
}


def read(*rows: Any) -> tuple[list[Any], list[Any], list[Any]]:
    return fates(telegram.parse_file(FILE, {"id": 5, "messages": list(rows)}))


def test_the_fixture_is_read_whole() -> None:
    messages, rejected, automated = fates(telegram.read(LOGS))
    assert rejected == []
    assert [(m.conversation_id, m.message_id, m.sender, m.text, m.reaction) for m in messages] == [
        ("ChatExport_2024-01-02/1002", "2", "user1001", "did you see my call?", None),
        (
            "ChatExport_2024-01-02/1002", "3", "user1002",
            "sorry, I was reading https://example.org/news and missed it", "love",
        ),
        ("ChatExport_2024-01-02/1002", "5", "user1001", "lovely view!", None),
        ("ChatExport_2024-01-02/1002", "8", "user1001", "הנה, שלום 👋🏽", None),
        ("DataExport_2024-02-01/555", "2", "user1003", "who is in for sunday?", "downvote"),
        ("DataExport_2024-02-01/555", "3", "user1001", "me!", None),  # her own thumb does not count
        ("DataExport_2024-02-01/557", "9", "user1002", "bye all", None),
    ]  # fmt: skip
    assert messages[0].sent_at == datetime(2024, 1, 1, 12, 0, 10, tzinfo=UTC)
    assert messages[-1].line == 5  # numbered through all chats of the file
    assert Counter(item.kind for item in automated) == {
        "call": 1, "photo": 1, "sticker": 1, "forward": 1, "group": 1, "poll": 1,
    }  # fmt: skip


def test_old_exports_have_only_a_date_and_numbers_as_ids() -> None:
    old = {key: value for key, value in ROW.items() if key != "date_unixtime"}
    (message,), _, _ = read({**old, "from_id": 4321})
    assert isinstance(message, Message)
    assert (message.sender, message.sent_at) == ("4321", datetime(2024, 1, 1, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"date_unixtime": "-1"}, "date_unixtime: date_out_of_range"),
        ({"date_unixtime": "253402300800"}, "date_unixtime: date_out_of_range"),
        ({"date_unixtime": "9" * 15}, "date_unixtime: date_out_of_range"),
        ({"date_unixtime": "Zorblax"}, "date_unixtime: not_a_date"),
        ({"text": [{"type": "bold"}, "Zorblax"]}, "text: not_text"),
        ({"text": ["\ud83d"]}, "text: lone_surrogate"),
        ({"from_id": None}, "from_id: string_type"),
        ({"type": 7}, "type: string_type"),
    ],
)
def test_a_bad_row_is_rejected_with_field_and_kind(change: dict[str, Any], reason: str) -> None:
    messages, (rejected,), _ = read(ROW, {**ROW, **change})
    assert (len(messages), rejected.line, rejected.reason) == (1, 2, reason)


def test_a_broken_chat_costs_no_other() -> None:
    chats = [{"messages": [ROW]}, {"id": 6, "messages": [ROW]}, "Zorblax"]
    messages, rejected, _ = fates(telegram.parse_file(FILE, {"chats": {"list": chats}}))
    assert [m.conversation_id for m in messages] == ["6"]
    assert [r.reason for r in rejected] == ["chat: id: missing", "chat: model_type"]


@given(st.lists(rows_like(ROW), max_size=4))
def test_no_row_is_lost_and_none_breaks_the_others(rows: list[Any]) -> None:
    messages, rejected, automated = read(ROW, *rows)
    assert sorted(item.line for item in [*messages, *rejected, *automated]) == list(range(1, len(rows) + 2))
    assert any(message.line == 1 for message in messages)


@given(VALUES | st.fixed_dictionaries({"chats": st.fixed_dictionaries({"list": st.lists(VALUES)}) | VALUES}))
def test_other_json_is_one_rejected_file(data: Any) -> None:
    (item,) = telegram.parse_file(FILE, data)
    assert isinstance(item, Rejected)


def taking_part(chat: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    found = [item for item in telegram.parse_file(FILE, chat) if isinstance(item, Participant)]
    return [(item.conversation_id, item.name, item.sender) for item in found]


def test_names_are_those_of_senders_actors_members_contacts_mentions_and_who_reacts() -> None:
    rows = [
        {**ROW, "from": "Ann Weaver"},
        {**ROW, "from": "Ann Weaver", "text": ["hi ", {"type": "mention_name", "text": "Ben", "user_id": 2}]},
        {**ROW, "from": None, "text": "", "contact_information": {"first_name": "Carl", "last_name": "C"}},
        {**ROW, "reactions": [{"emoji": "👍", "count": 1, "recent": [{"from": "Dora", "from_id": "user4"}]}]},
        {"id": 5, "type": "service", "action": "invite_members", "actor": "Eve", "actor_id": "user5",
         "members": ["Fay", None, 7, " "]},
    ]  # fmt: skip
    assert taking_part({"id": 9, "type": "private_group", "name": "Club", "messages": rows}) == [
        ("9", "Ann Weaver", "user1"), ("9", "Ben", "user2"), ("9", "Carl C", None), ("9", "Dora", "user4"),
        ("9", "Eve", "user5"), ("9", "Fay", None),
    ]  # fmt: skip


def test_a_chat_between_two_is_named_after_the_other_one() -> None:
    chat = {"id": 9, "type": "personal_chat", "name": "Sleepy Mango", "messages": [ROW]}
    assert taking_part(chat) == [("9", "Sleepy Mango", "user9")]


def test_a_bot_in_its_own_chat_has_its_role() -> None:
    rows = [{**ROW, "from_id": sender} for sender in ("user1", "user9")]
    for kind, roles in (("bot_chat", ["user", "bot"]), ("personal_chat", ["user", "user"])):
        messages, _, _ = fates(telegram.parse_file(FILE, {"id": 9, "type": kind, "messages": rows}))
        assert [message.role for message in messages] == roles


def topic(number: int) -> dict[str, Any]:
    return {"id": number, "type": "service", "action": "topic_created", "title": "Cars"}


@pytest.mark.parametrize("roots", [(1, 2), (11, 12)])
def test_topics_are_kept_apart_through_replies_to_replies(roots: tuple[int, int]) -> None:
    one, two = roots
    asked = [(23, one), (24, two), (25, 23), (26, 24), (27, None), (28, 27), (29, 25)]
    rows = [topic(one), topic(two), *({**ROW, "id": n, "reply_to_message_id": to} for n, to in asked)]
    messages, _, automated = read(*rows)
    found = {m.message_id: (m.conversation_id, m.reply_to) for m in messages}
    assert found == {
        "23": (f"5/topic-{one}", None), "24": (f"5/topic-{two}", None), "25": (f"5/topic-{one}", "23"),
        "26": (f"5/topic-{two}", "24"), "27": ("5", None), "28": ("5", "27"), "29": (f"5/topic-{one}", "25"),
    }  # fmt: skip
    assert [item.kind for item in automated] == ["group", "group"]


def test_a_topic_may_be_named_by_its_number_and_the_general_one_is_the_chat() -> None:
    messages, _, _ = read({**ROW, "topic_id": 4}, {**ROW, "id": 2, "topic_id": 1}, {**ROW, "id": 3})
    assert [message.conversation_id for message in messages] == ["5/topic-4", "5", "5"]


def test_a_reply_to_another_chat_answers_nothing_here() -> None:
    here, there = read(
        {**ROW, "reply_to_message_id": 7}, {**ROW, "reply_to_message_id": 7, "reply_to_peer_id": "channel3"}
    )[0]
    assert (here.reply_to, there.reply_to) == ("7", None)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"invoice_information": {}}, "invoice"),
        ({"giveaway_information": {}}, "giveaway"),
        ({"giveaway_results": {}}, "giveaway"),
        ({"todo_list": {}}, "todo"),
        ({"poll": {}}, "poll"),
        ({"place_name": "Cafe", "location_information": {}}, "venue"),
        ({"location_information": {}}, "location"),
        ({"file": "x", "media_type": "sticker"}, "sticker"),
        ({"story_of_a_later_version": 1}, "no text"),
        ({"text": "bought by a bot", "via_bot": "@gif"}, "bot"),
        ({"text": "of another", "forwarded_from": "Ben"}, "forward"),
    ],
)
def test_what_nobody_typed_has_its_kind(change: dict[str, Any], kind: str) -> None:
    assert [item.kind for item in read({**ROW, "text": "", **change})[2]] == [kind]
