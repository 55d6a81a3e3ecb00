"""Anonymize: slots per conversation, keyed senders, and a result that no setting of the machine changes."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.anonymize import Params, anonymize_senders, anonymize_texts, run, shard_rows
from stages.errors import DataError
from stages.pii.key import VARIABLE, key_id, load_key, pseudonym
from stages.table import MESSAGES, read_messages

KEY = "ab" * 32
PARAMS = Params(workers=1, shards=3, batch_size=16)

TALK = [
    ("c1", "Ann", "I talked to Kendra Lowe yesterday, mail her: kendra@example.org"),
    ("c2", "Ann", "Did you know that Roberto lives here?"),
    ("c1", "Bob", "who, kendra? i will write to KENDRA@example.org"),
    ("c2", "Cy", "no, but roberto's number is 808-555-1557"),
    ("c1", "Ann", "yes"),
]


def table(rows: Sequence[tuple[str, str, str]]) -> pl.DataFrame:
    sent_at = datetime(2024, 5, 1, tzinfo=UTC)
    data = [("native", c, str(i), who, sent_at, i, text, None, "user") for i, (c, who, text) in enumerate(rows)]
    return pl.DataFrame(data, schema=MESSAGES, orient="row")


@pytest.fixture
def messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, KEY)
    path = tmp_path / "messages.parquet"
    table(TALK).write_parquet(path)
    return path


def test_run_replaces_text_and_senders_and_nothing_else(messages: Path, tmp_path: Path) -> None:
    run(PARAMS, messages=messages, out=tmp_path / "out")
    before, after = read_messages(messages), read_messages(tmp_path / "out/messages.parquet")
    assert before.drop("text", "sender").equals(after.drop("text", "sender"))
    assert after["text"].to_list() == [
        "I talked to <PERSON_1> yesterday, mail her: <EMAIL_1>",
        "Did you know that <PERSON_1> lives here?",
        "who, <PERSON_2>? i will write to <EMAIL_1>",
        "no, but <PERSON_1>'s number is <PHONE_1>",
        "yes",
    ]
    senders = after["sender"].to_list()
    assert senders[0] == senders[1] == senders[4] == pseudonym(bytes.fromhex(KEY), "native", "Ann")
    assert len(set(senders)) == 3


def test_cards_count_and_never_quote(messages: Path, tmp_path: Path) -> None:
    run(PARAMS, messages=messages, out=tmp_path / "out")
    text = (tmp_path / "out/card.json").read_text()
    card, entities = json.loads(text), json.loads((tmp_path / "out/entities.json").read_text())
    assert (card["messages"], card["recognized_share"]) == (5, 0.4)
    assert {k: n for k, n in card["replaced"].items() if n} == {"PERSON": 4, "EMAIL": 2, "PHONE": 1}
    assert card["replaced_per_1000"]["PERSON"] == 800
    assert card["key_id"] == key_id(bytes.fromhex(KEY))
    assert {"entity": "EMAIL", "count": 2, "per_1000": 400.0} in entities
    assert not any(secret in text.casefold() for secret in ("kendra", "roberto", "ann", KEY))


def test_workers_shards_and_batches_change_nothing() -> None:
    texts = [text for _, _, text in TALK] * 12
    ids = [f"c{row % 23}" for row in range(len(texts))]
    one = anonymize_texts(ids, texts, Params(workers=1, shards=1, batch_size=64))
    assert one == anonymize_texts(ids, texts, Params(workers=1, shards=9, batch_size=3))
    assert one == anonymize_texts(ids, texts, Params(workers=2, shards=4, batch_size=64))


@given(st.lists(st.text(max_size=2), max_size=30), st.integers(1, 9))
def test_shards_hold_every_row_once_and_whole_conversations(ids: list[str], shards: int) -> None:
    found = shard_rows(ids, shards)
    assert sorted(row for shard in found for rows in shard for row in rows) == list(range(len(ids)))
    assert sum(map(len, found)) == len(set(ids))
    assert all(rows == sorted(rows) for shard in found for rows in shard)


def test_pseudonyms_depend_on_key_source_and_sender() -> None:
    key, other = bytes.fromhex(KEY), bytes(32)
    named = {pseudonym(k, s, w) for k in (key, other) for s in ("native", "chitchat") for w in ("Ann", "Bob")}
    assert len(named) == 8
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in named)
    assert anonymize_senders(table(TALK).clear(), key).to_list() == []


def test_the_key_is_made_once_private_and_said_without_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    file = tmp_path / "deep/anonymize.key"
    key = load_key(file)
    said = capsys.readouterr()
    assert len(key) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in said.err
    assert key.hex() not in said.err + said.out
    assert load_key(file) == key
    assert capsys.readouterr().err == ""


def test_the_environment_comes_first_and_a_bad_key_is_refused_unquoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "anonymize.key"
    monkeypatch.setenv(VARIABLE, KEY)
    assert load_key(file) == bytes.fromhex(KEY)
    assert not file.exists()
    monkeypatch.setenv(VARIABLE, "hunter2")
    with pytest.raises(DataError, match=VARIABLE) as caught:
        load_key(file)
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv(VARIABLE)
    file.write_text("ü" * 64)
    with pytest.raises(DataError, match=r"anonymize\.key"):
        load_key(file)
