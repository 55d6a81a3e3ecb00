"""Requests are made of dialogues; none is asked twice before all were asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from benchmarks.serving.bodies import CHAT, Asked, Supply, chat, fresh, read_asked, read_bodies, talk


def conversation(name: str, turns: int) -> list[Asked]:
    """A conversation of two, each turn once the last; contexts of at most four turns."""
    texts = [f"{name} {n}" for n in range(turns)]
    return [
        Asked(
            name, tuple(texts[max(0, n - 3) : n + 1]), tuple((n - m) % 2 == 1 for m in range(max(0, n - 3), n + 1))
        )
        for n in range(turns)
    ]


TALKS = [conversation(name, turns) for name, turns in (("a", 9), ("b", 5), ("c", 2))]


def test_fresh_contexts_share_no_turn() -> None:
    texts = [text for asked in fresh(TALKS) for text in asked.texts]
    assert len(texts) == len(set(texts))
    assert {asked.conversation for asked in fresh(TALKS)} == {"a", "b", "c"}


def test_a_talk_goes_on_by_two_turns_wherever_it_begins() -> None:
    mine = [asked.texts[-1] for asked in talk(TALKS, lanes=2) if asked.conversation == "a"]
    place = mine.index("a 0")
    assert mine[place:] + mine[:place] == ["a 0", "a 2", "a 4", "a 6", "a 8"]


def test_talks_begin_in_the_midst() -> None:
    long = [conversation(name, 99) for name in "abcdefgh"]
    assert {len(asked.texts) for asked in talk(long, lanes=8)[:8]} == {4}


def test_talks_take_turns() -> None:
    first, second = (asked.conversation for asked in talk(TALKS, lanes=2)[:2])
    assert first != second


def test_messages_say_who_spoke_and_the_user_speaks_last() -> None:
    path, body = chat(TALKS[0][2], stream=True)
    assert path == CHAT
    told = json.loads(body)
    assert told["stream"] is True
    assert [message["role"] for message in told["messages"]] == ["user", "assistant", "user"]


def test_contexts_of_the_test_split_alone_are_read(tmp_path: Path) -> None:
    rows = [
        {"split": split, "conversation_id": "x", "context": ["hi", text], "context_own": [True, False],
         "started_at": datetime(2026, 1, 1, tzinfo=UTC)}
        for split, text in (("train", "no"), ("test", "yes"))
    ]  # fmt: skip
    pl.DataFrame(rows).write_parquet(tmp_path / "pairs.parquet")
    assert read_asked(tmp_path / "pairs.parquet") == [[Asked("x", ("hi", "yes"), (True, False))]]


def test_a_supply_goes_on_where_it_was_left_and_begins_anew(tmp_path: Path) -> None:
    bodies = [(CHAT, f'{{"n": {n}}}'.encode()) for n in range(5)]
    supply = Supply(tmp_path / "bodies", bodies)
    supply.take(3)
    assert read_bodies(supply.file, supply.taken) == [*bodies[3:], *bodies[:3]]
    supply.take(4)
    assert supply.taken == 2
