"""Order: conversations of a part in the order in which they were said; numbers and times rise, nothing is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stages.common.messages import Message
from stages.ingest.chunks import message_table
from stages.ingest.order import REORDERED, in_order
from stages.ingest.selection import known_replies
from stages.ingest.stage import Params, run

START = datetime(2024, 5, 1, 12, tzinfo=UTC)

#: Conversation, file, sender, seconds after the start.
Place = tuple[str, str, str, float]


def table(*places: Place) -> pl.DataFrame:
    messages = [
        Message(file, n, conversation, str(n), sender, START + timedelta(seconds=at), f"text {n}")
        for n, (conversation, file, sender, at) in enumerate(places)
    ]
    return message_table("native", messages, 100)


def ids(messages: pl.DataFrame, conversation: str) -> list[str]:
    return messages.filter(pl.col("conversation_id") == f"native/{conversation}")["message_id"].to_list()


def test_each_conversation_is_put_in_order_by_itself_and_healthy_ones_stay() -> None:
    part = table(
        ("down", "f", "a", 7200), ("up", "f", "a", 0), ("down", "f", "b", 3600), ("up", "f", "b", 5),
        ("close", "f", "a", 30), ("down", "f", "a", 0), ("close", "f", "b", 5), ("close", "f", "a", 90),
        ("up", "f", "a", 9), ("close", "f", "b", 70),
    )  # fmt: skip
    found, rules = in_order(part)
    assert {name: ids(found, name) for name in ("down", "up", "close")} == {
        "down": ["5", "2", "0"], "up": ["1", "3", "8"], "close": ["4", "6", "7", "9"],
    }  # fmt: skip
    assert sorted(rules.rows()) == [("native", "raised"), ("native", "reversed")]
    assert found["order"].to_list() == part["order"].to_list()
    up = pl.col("conversation_id") == "native/up"
    assert found.filter(up).equals(part.filter(up))


def test_a_short_conversation_is_reversed_if_the_rest_of_its_file_is() -> None:
    long: list[Place] = [("long", "f", "a", 1000.0 - n * 100) for n in range(9)]
    pair: list[Place] = [("short", "f", "a", 30.0), ("short", "f", "b", 5.0)]
    assert ids(in_order(table(*long, *pair))[0], "short") == ["10", "9"]
    elsewhere: list[Place] = [(name, "g", sender, at) for name, _, sender, at in pair]
    assert ids(in_order(table(*long, *elsewhere))[0], "short") == ["9", "10"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("xyz"), st.sampled_from("fg"), st.sampled_from("ab"), st.integers(0, 10**7).map(float)
        )
    )
)
def test_no_row_is_lost_or_changed_but_for_its_place_and_time(places: list[Place]) -> None:
    part = table(*places)
    found, rules = in_order(part)
    assert found.schema == part.schema
    assert rules.schema == REORDERED
    assert found["order"].to_list() == part["order"].to_list()
    rest = pl.exclude("sent_at", "order")
    assert found.select(rest).sort("message_id").equals(part.select(rest).sort("message_id"))
    steps = found.select(pl.col("sent_at").diff().over("conversation_id")).to_series().drop_nulls()
    assert (steps >= timedelta()).all()


def test_replies_to_what_is_not_there_are_cleared() -> None:
    part = table(("c", "f", "a", 0), ("c", "f", "b", 1), ("c", "f", "a", 2), ("d", "f", "a", 0))
    asked = part.with_columns(reply_to=pl.Series([None, "0", "Zorblax", "0"], dtype=pl.String()))
    assert known_replies(asked)["reply_to"].to_list() == [None, "0", None, None]
    assert known_replies(part).equals(part)


def test_ingest_puts_a_log_that_is_newest_first_in_order_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "erase").mkdir()
    rows = [
        {
            "conversation_id": "c", "message_id": str(n), "sender": "ab"[n % 2], "text": f"line {n}",
            "sent_at": (START - timedelta(minutes=n)).isoformat(), "reply_to": str(n + 1),
        }
        for n in range(6)
    ]  # fmt: skip
    (tmp_path / "logs" / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    params = Params(readers=["native"], languages=["en"], parts=1, max_rejected_share=0)
    run(params, logs=tmp_path / "logs", erase=tmp_path / "erase", out=tmp_path / "out")
    messages = pl.read_parquet(tmp_path / "out" / "messages")
    assert messages["message_id"].to_list() == ["5", "4", "3", "2", "1", "0"]
    assert messages["reply_to"].to_list() == [None, "5", "4", "3", "2", "1"]
    assert messages["order"].to_list() == list(range(6))
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["sources"]["native"]["conversations_reordered"] == {"reversed": 1}
