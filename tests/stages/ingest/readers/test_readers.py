"""Readers: every row comes out once, as a message or rejected with a reason that quotes nothing."""

from __future__ import annotations

import json
import logging
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from io import BytesIO
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.errors import DataError
from stages.common.messages import Message, Participant, Rejected
from stages.common.sources import ReaderName
from stages.ingest.readers import READERS, chitchat, native, seinfeld
from stages.ingest.readers.rows import parsed
from tests.fixtures import fates, rows_like

ROW = {
    "conversation_id": "c1",
    "message_id": "1",
    "sender": "Zorblax",
    "sent_at": "2024-05-01T12:00:00+02:00",
    "text": "Hi",
}


CHAT = {"text": "Hi", "sender": "Zorblax", "timestamp": "2018-05-02T19:38:15Z"}


def line(**changes: object) -> bytes:
    return json.dumps({**ROW, **changes}).encode()


def test_every_reader_has_its_name_in_params() -> None:
    assert set(get_args(ReaderName)) == set(READERS)


def test_native_reads_files_by_name_and_keeps_places(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(line(message_id="3") + b"\n")
    (tmp_path / "a.jsonl").write_bytes(
        b"\xef\xbb\xbf" + line() + b"\r\n\n" + line(message_id="2", reaction="love", role="bot")
    )
    (tmp_path / "README.md").write_text("not a log")
    items = list(native.read(tmp_path))
    messages = [item for item in items if isinstance(item, Message)]
    assert messages == items
    assert [(m.file, m.line, m.message_id) for m in messages] == [
        ("a.jsonl", 1, "1"),
        ("a.jsonl", 3, "2"),
        ("b.jsonl", 1, "3"),
    ]
    assert messages[0].sent_at == datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert (messages[1].reaction, messages[1].role) == ("love", "bot")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "json_invalid"),
        (b"[]", "model_type"),
        (line(text=7), "text: string_type"),
        (line(conversation_id=" "), "conversation_id: string_pattern_mismatch"),
        (line(sent_at="2024-05-01T12:00:00"), "sent_at: timezone_aware"),
        (line(sent_at=1714557600), "sent_at: datetime_type"),
        (line(reaction="Zorblax"), "reaction: literal_error"),
        (line(Zorblax="x"), "unknown key"),
        (line(text=None, role="Zorblax"), "role: literal_error; text: string_type"),
        (line(text="\ud83d"), "json_invalid"),
        (line(sent_at="1969-12-31T23:59:59Z"), "sent_at: greater_than_equal"),
        (line(sent_at="9999-12-31T23:59:59-12:00"), "sent_at: less_than"),
        (line(sent_at="10000-01-01T00:00:00Z"), "sent_at: datetime_parsing"),
        (line(sender="Zorblax" * 200), "sender: string_too_long"),
        (
            b'{"sender": "Zorblax"}',
            "conversation_id: missing; message_id: missing; sent_at: missing; text: missing",
        ),
        (b'{"text": "caf\xe9"}', "not UTF-8"),
    ],
)
def test_native_rejects_with_field_and_kind_but_without_the_value(raw: bytes, reason: str) -> None:
    item = native.parse("a.jsonl", 4, raw)
    assert isinstance(item, Rejected)
    assert (item.file, item.line, item.reason) == ("a.jsonl", 4, reason)
    assert item.row == raw.decode("utf-8", "backslashreplace")


@given(st.binary(max_size=80))
def test_native_never_raises_on_any_bytes(raw: bytes) -> None:
    assert isinstance(native.parse("a.jsonl", 1, raw), Rejected)


def test_native_names_every_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "b.jsonl").write_bytes(b" \n\n")
    (tmp_path / "Zorblax.jsonl").touch()
    (tmp_path / "c.jsonl").write_bytes(line())
    with pytest.raises(DataError, match=r"by name they are number \[1, 2, 3\] of 4; next: remove them") as caught:
        list(native.read(tmp_path))
    assert "Zorblax" not in str(caught.value)


def test_native_wants_a_folder_but_not_a_log(tmp_path: Path) -> None:
    assert list(native.read(tmp_path)) == []
    with pytest.raises(DataError, match="no such folder"):
        list(native.read(tmp_path / "missing"))


def test_native_does_not_hold_a_line_without_end(tmp_path: Path) -> None:
    endless = b'{"text": "' + b"x" * (20 * native.MAX_LINE)
    (tmp_path / "a.jsonl").write_bytes(line() + b"\n" + endless + b"\n" + line(message_id="2") + b"\n" + endless)
    items = list(native.read(tmp_path))
    assert [type(item) for item in items] == [Message, Rejected, Message, Rejected]
    assert [item.line for item in items if not isinstance(item, Participant)] == [1, 2, 3, 4]
    tracemalloc.start()
    for _ in native.read(tmp_path):
        pass
    assert tracemalloc.get_traced_memory()[1] < 6 * native.MAX_LINE
    tracemalloc.stop()


def test_native_follows_no_link_and_opens_no_archive(tmp_path: Path) -> None:
    (tmp_path / "outside.jsonl").write_bytes(line())
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").symlink_to(tmp_path / "outside.jsonl")
    (logs / "b.jsonl.GZ").write_bytes(b"a bomb")
    assert list(native.read(logs)) == [
        Rejected("a.jsonl", 1, "link or no regular file: not read", ""),
        Rejected("b.jsonl.GZ", 1, "archive: unpack it first", ""),
    ]


def test_native_reads_a_suffix_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "A.JSONL").write_bytes(line())
    assert [type(item) for item in native.read(tmp_path)] == [Message]


@given(st.lists(st.binary(max_size=20) | st.just(line()), max_size=6))
def test_native_makes_one_item_of_each_line_that_is_not_blank(rows: list[bytes]) -> None:
    content = b"\n".join(rows)
    assert len(list(native.lines("a.jsonl", BytesIO(content), native.parse))) == sum(
        bool(row.strip()) for row in content.split(b"\n")
    )


def test_chitchat_numbers_messages_inside_their_conversation() -> None:
    messages = [item for item in islice(chitchat.read(Path()), 200) if isinstance(item, Message)]
    assert len(messages) > 150  # the others are ratings
    assert [m.line for m in messages] == list(range(1, len(messages) + 1))
    for before, after in pairwise(messages):
        follows = before.conversation_id == after.conversation_id
        assert int(after.message_id) == (int(before.message_id) + 1 if follows else 1)
    assert messages[0].sent_at == datetime(2018, 5, 2, 19, 38, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"text": "Hi", "sender": "Zorblax"}, "timestamp: missing"),
        ({"text": "Hi", "sender": "Zorblax", "timestamp": "May"}, "timestamp: not_a_date"),
    ],
)
def test_chitchat_rejects_rows_it_cannot_read(raw: dict[str, str], reason: str) -> None:
    messages, (item,), _ = fates(parsed("dataset.json", [(5, raw), (6, CHAT)], partial(chitchat.parse, "c", 4)))
    assert [(m.line, m.message_id) for m in messages] == [(6, "2")]
    assert (item.line, item.reason) == (5, reason)
    assert json.loads(item.row) == raw


@given(st.lists(rows_like(CHAT), max_size=4))
def test_chitchat_loses_no_row(rows: list[Any]) -> None:
    messages, rejected, _ = fates(parsed("dataset.json", enumerate(rows, start=1), partial(chitchat.parse, "c", 0)))
    assert len(messages) + len(rejected) == len(rows)


EPISODE = """# JERRY
1.5
Two lines
of one subtitle.
3.0
3.2
**LOL**
3.1
**LOL**
# NEWMAN
# GEORGE:
4
No laughter.
5.5
stray words
9.0
**LOL**
"""


def test_seinfeld_reads_subtitles_laughter_and_oddities() -> None:
    items = seinfeld.parse("Seinfeld.S07E06.The.Soup.Nazi.merged", EPISODE)
    messages = [item for item in items if isinstance(item, Message)]
    assert [(m.sender, m.text, m.reaction, m.line) for m in messages] == [
        ("JERRY", "Two lines of one subtitle.", "funny", 2),
        ("GEORGE", "No laughter.", None, 12),
    ]
    assert {m.conversation_id for m in messages} == {"S07E06"}
    assert messages[1].sent_at - messages[0].sent_at == timedelta(seconds=2.5)
    assert [(r.line, r.reason, r.row) for r in items if isinstance(r, Rejected)] == [
        (10, "turn without a subtitle", "# NEWMAN"),
        (15, "line outside a subtitle", "stray words"),
        (16, "line outside a subtitle", "9.0"),
        (17, "line outside a subtitle", "**LOL**"),
    ]


def test_seinfeld_rejects_a_subtitle_before_any_speaker() -> None:
    (item,) = seinfeld.parse("Seinfeld.S07E06.X.merged", "1.0\nHello?\n2.0\n")
    assert isinstance(item, Rejected)
    assert item.reason == "subtitle without a speaker"


@given(st.lists(st.sampled_from([*EPISODE.split("\n"), "9" * 400, "#"]) | st.text(max_size=5), max_size=12))
def test_seinfeld_reads_any_lines(lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines)
    items = list(seinfeld.parse("Seinfeld.S07E06.X.merged", content))
    places = [item.line for item in items if not isinstance(item, Participant)]
    assert places == sorted(set(places))
    fates(items)


def test_seinfeld_corpus_is_read_whole_and_leaves_logging_alone() -> None:
    handlers = list(logging.getLogger().handlers)
    items = list(seinfeld.read(Path()))
    messages = [item for item in items if isinstance(item, Message)]
    assert logging.getLogger().handlers == handlers
    assert len({m.conversation_id for m in messages}) == 96
    assert len(messages) == 46_497
    assert sum(m.reaction == "funny" for m in messages) == 13_560
    assert {r.reason for r in items if isinstance(r, Rejected)} == {"turn without a subtitle"}
    assert any("señor" in m.text for m in messages)  # a Latin-1 line
    for before, after in pairwise(messages):
        if before.conversation_id == after.conversation_id:
            assert before.sent_at <= after.sent_at
