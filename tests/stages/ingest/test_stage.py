"""Ingest: parts of whole conversations, counts that add up, and nothing lost when it fails."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.text import normalize
from stages.common.errors import DataError, ParamsError
from stages.common.messages import (
    MESSAGES,
    QUARANTINE,
    Automated,
    Item,
    Message,
    Participant,
    Rejected,
    part_of,
    part_paths,
    read_messages,
)
from stages.common.params import load_params
from stages.common.sources import ReaderName
from stages.ingest.chunks import MAX_ROW, MAX_TEXT, chunks
from stages.ingest.counts import FATES, Tally
from stages.ingest.fates import files_table
from stages.ingest.selection import visible_texts
from stages.ingest.stage import Params, run
from stages.ingest.two_passes import ingest_sources
from tests.fixtures import LOGS

SENT = datetime(2024, 5, 1, tzinfo=UTC)


def params(*readers: ReaderName, share: float = 0.5, **changes: Any) -> Params:
    return Params(
        **{"readers": list(readers), "languages": ["en"], "parts": 3, "max_rejected_share": share, **changes}
    )


def message(
    conversation: str = "c", number: str = "1", text: str = "Hi", line: int = 1, sender: str = "Zorblax"
) -> Message:
    return Message("a.jsonl", line, conversation, number, sender, SENT, text)


def taken(
    sources: Mapping[str, Iterable[Item]], erased: Mapping[str, frozenset[str]] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Tally]]:
    """Messages, quarantine and counts of some items."""
    with TemporaryDirectory() as folder:
        tallies = ingest_sources(sources, 2, ["en"], erased or {}, Path(folder))
        messages = read_messages(Path(folder) / "messages")
        return messages, pl.read_parquet(Path(folder) / "quarantine.parquet"), tallies


def write_log(logs: Path, *rows: object) -> None:
    logs.mkdir(exist_ok=True)
    (logs / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def native_row(**changes: object) -> dict[str, object]:
    row = {"conversation_id": "c", "message_id": "1", "sender": "Zorblax", "text": "Hi"}
    return {**row, "sent_at": "2024-05-01T12:00:00.1239+02:00", **changes}


def ingest(folder: Path, chosen: Params, logs: Path | None = None) -> dict[str, Any]:
    """Run the stage; give its card."""
    (folder / "erase").mkdir(exist_ok=True)
    run(chosen, logs=logs or folder / "logs", erase=folder / "erase", out=folder / "out")
    card: dict[str, Any] = json.loads((folder / "out" / "card.json").read_text())
    return card


def test_blank_and_duplicate_messages_go_to_the_quarantine_with_place_and_row() -> None:
    items: list[Item] = [
        message(line=1, text=" \u200b\n"),
        message(line=2),
        Rejected("a.jsonl", 3, "not UTF-8", "raw"),
        message(line=4, text="again"),
        message(line=5, number="2"),
    ]
    messages, quarantine, _ = taken({"native": items})
    # The blank row does not use up its id: the first message with text keeps it.
    assert messages.select("conversation_id", "message_id", "order").rows() == [
        ("native/c", "1", 1),
        ("native/c", "2", 3),
    ]
    rejected = quarantine.sort("line")
    assert rejected.select("line", "reason").rows() == [
        (1, "blank text"),
        (3, "not UTF-8"),
        (4, "duplicate conversation_id, message_id"),
    ]
    assert json.loads(rejected["row"][2])["text"] == "again"


ITEMS = st.lists(
    st.one_of(
        st.builds(
            message,
            st.sampled_from("abc"),
            st.sampled_from("12"),
            st.sampled_from(["", "\t", "x", "guten Morgen, wie geht es dir und deinem alten Hund heute?"]),
            sender=st.sampled_from(["Ann", "Ben"]),
        ),
        st.builds(Rejected, st.just("a.jsonl"), st.integers(1, 9), st.sampled_from("pq"), st.text(max_size=3)),
        st.builds(Automated, st.sampled_from(["a.jsonl", "b.jsonl"]), st.integers(1, 9), st.sampled_from("kl")),
    ),
    max_size=12,
)


@settings(max_examples=50)
@given(ITEMS, ITEMS, st.sampled_from([frozenset[str](), frozenset({"Ann"})]))
def test_counts_add_up_and_conversations_stay_whole(
    ours: list[Item], theirs: list[Item], erased: frozenset[str]
) -> None:
    messages, quarantine, tallies = taken({"native": ours, "discord": theirs}, {"native": erased})
    for name, items in (("native", ours), ("discord", theirs)):
        summary = tallies[name].summary()
        dropped = [summary["rejected"], summary["automated"], summary["other_language"]]
        assert summary["rows_read"] == len(items)
        assert summary["rows_read"] == sum(
            [
                summary["rows_out"],
                summary["feedback"],
                *(sum(d.values()) for d in dropped),
                summary["duplicate"],
                summary["erased"],
            ]
        )
        by_file = files_table([], {name: tallies[name]})
        assert dict(by_file.select("file", "rows").iter_rows()) == Counter(
            item.file for item in items if not isinstance(item, Participant)
        )
        assert by_file.select(pl.sum_horizontal(FATES)).to_series().equals(by_file["rows"].alias("out"))
        assert summary["rows_out"] == messages.filter(source=name).height
        assert sum(summary["rejected"].values()) == quarantine.filter(source=name).height
        kinds = Counter(item.kind for item in items if isinstance(item, Automated))
        assert tallies[name].automated == kinds
    gone = sum(isinstance(item, Message) and item.sender in erased for item in ours)
    assert tallies["native"].erased.total() == gone
    assert messages.filter(pl.col("sender").is_in(list(erased)), source="native").is_empty()
    assert not messages.select(pl.struct("conversation_id", "message_id").is_duplicated()).to_series().any()
    assert messages.schema == MESSAGES
    assert quarantine.schema == QUARANTINE


def test_every_part_is_there_and_holds_whole_conversations_in_order(tmp_path: Path) -> None:
    rows = [native_row(conversation_id=str(n % 7), message_id=str(n)) for n in range(40)]
    write_log(tmp_path / "logs", *rows)
    ingest(tmp_path, params("native", parts=16))
    parts = part_paths(tmp_path / "out" / "messages")
    assert [path.name for path in parts] == [f"part-{number:05d}-of-00016.parquet" for number in range(16)]
    for number, path in enumerate(parts):
        table = pl.read_parquet(path)
        assert table["order"].is_sorted()
        assert {part_of(name, 16) for name in table["conversation_id"]} <= {number}


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_missing_part_is_noticed_wherever_it_was(tmp_path: Path, lost: int) -> None:
    write_log(tmp_path / "logs", native_row())
    ingest(tmp_path, params("native", parts=4))
    messages = tmp_path / "out" / "messages"
    part_paths(messages)[lost].unlink()
    with pytest.raises(DataError, match="got 1 tables, 1 parts missing, 0 other parts\nnext: run the stage"):
        part_paths(messages)


def test_parts_of_two_tables_are_not_taken_for_one(tmp_path: Path) -> None:
    write_log(tmp_path / "logs", native_row())
    ingest(tmp_path, params("native", parts=2))
    messages = tmp_path / "out" / "messages"
    part = part_paths(messages)[0]
    shutil.copy(part, messages / "part-00000-of-00001.parquet")
    with pytest.raises(DataError, match="got 2 tables, 0 parts missing, 0 other parts"):
        part_paths(messages)
    (messages / "part-00000-of-00001.parquet").rename(messages / "part-00000.parquet")
    with pytest.raises(DataError, match="got 1 tables, 0 parts missing, 1 other parts"):
        part_paths(messages)
    with pytest.raises(DataError, match="got 0 tables"):
        part_paths(tmp_path / "logs")


def test_chunks_are_bounded_and_lose_nothing() -> None:
    items: list[Item] = [message(number=str(n)) for n in range(7)]
    assert [chunk.items for chunk in chunks(items, size=3)] == [3, 3, 1]
    long: list[Item] = [message(text="x" * MAX_TEXT) for _ in range(150)]
    assert [chunk.items for chunk in chunks(long)] == [100, 50]


def test_the_order_of_a_source_runs_through_its_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    items: list[Item] = [message(number=str(n)) for n in range(150)]
    monkeypatch.setattr(sys.modules["stages.ingest.chunks"], "CHUNK_CHARACTERS", 100)
    messages, _, _ = taken({"native": items})
    assert messages["order"].to_list() == list(range(150))


def test_a_message_of_50_mb_is_kept_out_and_so_is_its_row() -> None:
    messages, quarantine, tallies = taken({"native": [message(text="x" * 50_000_000), message()]})
    assert messages.height == 1
    assert tallies["native"].rejected == {f"text: longer than {MAX_TEXT} characters": 1}
    assert quarantine["row"].str.len_chars().to_list() == [MAX_ROW]
    assert "Zorblax" in quarantine["row"][0]


@pytest.mark.parametrize(
    "blank", [" ", "\u202e\u202d", "\u200b", "\u2800", "\u3164 \u115f", "\ufe0f", "\u00a0\ufeff"]
)
def test_a_text_that_shows_nothing_is_blank(blank: str) -> None:
    messages, quarantine, _ = taken({"native": [message(text=blank), message(number="2", text=f"{blank}😀")]})
    assert messages["message_id"].to_list() == ["2"]
    assert quarantine["reason"].to_list() == ["blank text"]


@pytest.mark.parametrize("text", ["😀😀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "مرحبا كيف حالك", "...", "ok", "❤️"])
def test_emoji_and_any_script_are_texts(text: str) -> None:
    assert taken({"native": [message(text=text)]})[0]["text"].to_list() == [text]


def test_nuls_emoji_and_right_to_left_text_pass_as_they_are() -> None:
    texts = ["a\0b", "👩‍👩‍👧 \U0001f3f4", "שלום \u202eabc"]
    messages, _, _ = taken({"native": [message(number=str(n), text=text) for n, text in enumerate(texts)]})
    assert messages["text"].to_list() == texts


def test_the_quick_test_for_visible_text_agrees_with_the_canonical_form() -> None:
    # Planes 3 to 13 hold nothing but rare Chinese characters.
    codes = [code for code in (*range(0x20000), *range(0xE0000, 0xE0200)) if not 0xD800 <= code < 0xE000]
    visible = visible_texts(pl.Series(map(chr, codes))).to_list()
    other = [code for code, seen in zip(codes, visible, strict=True) if seen != (normalize(chr(code)) != "")]
    assert other == [0x34F, 0x115F, 0x1160, 0x2800, 0x3164, *range(0xFE00, 0xFE10), 0xFFA0]


def test_run_writes_tables_and_card(tmp_path: Path) -> None:
    write_log(tmp_path / "logs", native_row(), native_row(), native_row(message_id="2", reaction="funny"))
    card = ingest(tmp_path, params("native"))
    table = read_messages(tmp_path / "out" / "messages")
    assert table["sent_at"].to_list() == [datetime(2024, 5, 1, 10, 0, 0, 123000, tzinfo=UTC)] * 2
    assert table["reaction"].to_list() == [None, "funny"]
    assert pl.read_parquet(tmp_path / "out/quarantine.parquet").schema == QUARANTINE
    assert (card["rows_read"], card["rows_out"], card["duplicate"]) == (3, 2, 1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "canaries.json", "card.json", "dropped.parquet", "erased.parquet", "feedback.parquet", "files.parquet",
        "messages", "participants.parquet", "quarantine.parquet",
    ]  # fmt: skip


def test_every_source_in_one_run(tmp_path: Path) -> None:
    names: list[ReaderName] = ["native", "messenger", "telegram", "discord", "whatsapp"]
    card = ingest(tmp_path, params(*names), LOGS)
    assert read_messages(tmp_path / "out" / "messages")["source"].value_counts().sort("source").rows() == [
        ("discord", 4), ("messenger", 8), ("native", 2), ("telegram", 7), ("whatsapp", 8),
    ]  # fmt: skip
    assert (card["rows_read"], card["rows_out"], card["automated"], card["rejected"]) == (59, 29, 30, 0)
    assert [card["sources"][name]["files"] for name in names] == [1, 3, 2, 1, 2]


def test_an_absent_source_has_no_files(tmp_path: Path) -> None:
    write_log(tmp_path / "logs", native_row())
    card = ingest(tmp_path, params("native", "whatsapp"))
    assert (card["sources"]["whatsapp"]["files"], card["sources"]["whatsapp"]["rows_read"]) == (0, 0)


def test_files_that_nobody_reads_are_counted_and_reported_without_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_log(tmp_path / "logs", native_row())
    for name in ("result-of-Zorblax.json", "notes.TXT", "README", "readme.md", ".hidden.json"):
        (tmp_path / "logs" / name).write_text("{}")
    (tmp_path / "logs" / "B.JSONL").write_text(json.dumps(native_row(message_id="2")))
    card = ingest(tmp_path, params("native"))
    assert (card["rows_out"], card["files_unread"]) == (2, 2)
    said = capsys.readouterr().err
    assert "logs: file 5 of 7 (.txt): not read: no reader takes it" in said
    assert "logs: file 7 of 7 (.json): not read: looks like an export of telegram: move it into telegram/" in said
    assert "Zorblax" not in said
    assert ingest(tmp_path, params("seinfeld"))["files_unread"] == 4


def test_nothing_is_said_of_logs_that_are_all_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: list[ReaderName] = ["native", "messenger", "telegram", "discord", "whatsapp"]
    assert ingest(tmp_path, params(*names), LOGS)["files_unread"] == 0
    assert "not read" not in capsys.readouterr().err


def test_a_folder_whose_reader_is_left_out_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingest(tmp_path, params("native", "discord", "whatsapp", "messenger"), LOGS)
    said = [line for line in capsys.readouterr().err.split("\n") if "not read" in line]
    assert said == ["telegram: 2 not read: its reader is not in ingest.readers"]


def test_all_sources_that_cannot_be_read_are_named_at_once(tmp_path: Path) -> None:
    for folder in ("discord", "telegram", "messanger"):
        (tmp_path / "logs" / folder).mkdir(parents=True)
    with pytest.raises(DataError) as caught:
        ingest(tmp_path, params("telegram", "discord"))
    assert "telegram: expected result.json" in str(caught.value)
    assert "discord: expected *.json" in str(caught.value)
    assert (
        "logs: expected only folders named messenger, telegram, discord, whatsapp, decisions, got 1 others"
        in str(caught.value)
    )
    assert "messanger" not in str(caught.value)


def test_too_many_rejected_rows_fail_with_places_and_keep_the_quarantine(tmp_path: Path) -> None:
    bad = [native_row(text=None, sender=f"Zorblax{i}") for i in range(12)]
    write_log(tmp_path / "logs", native_row(), *bad)
    with pytest.raises(DataError) as caught:
        ingest(tmp_path, params("native"))
    text = str(caught.value)
    assert "12 of 13" in text
    assert all(f"a.jsonl:{n}: text: string_type" in text for n in range(2, 12))
    assert "a.jsonl:12" not in text
    assert "Zorblax" not in text
    assert not (tmp_path / "out").exists()
    rescued = tmp_path / "out.rejected.parquet"
    assert pl.read_parquet(rescued).height == 12
    write_log(tmp_path / "logs", native_row())
    ingest(tmp_path, params("native"))
    assert not rescued.exists()


def test_too_many_rejected_files_fail_without_the_names_that_apps_give_them(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "whatsapp"
    folder.mkdir(parents=True)
    (folder / "Chat with Ann.txt").write_text("".join(f"13/02/24, 10:{n} - Ann: hi\n" for n in range(10, 60)))
    (folder / "Chat with Zorblax.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError) as caught:
        ingest(tmp_path, params("whatsapp", share=0.1))
    assert "% rejected rows" not in str(caught.value)
    assert "expected at most 10.00% rejected files, got 50.00% (1 of 2)" in str(caught.value)
    assert "whatsapp/...:1: file not UTF-8" in str(caught.value)
    assert "Zorblax" not in str(caught.value)
    assert pl.read_parquet(tmp_path / "out.rejected.parquet")["file"].to_list() == [
        "whatsapp/Chat with Zorblax.txt"
    ]


def test_params_say_what_comes_first_in_dates_of_whatsapp_for_all_or_some_files(tmp_path: Path) -> None:
    (tmp_path / "logs" / "whatsapp").mkdir(parents=True)
    (tmp_path / "logs" / "whatsapp" / "chat.txt").write_text("01/02/24, 10:00 - Ann: hi\n")
    for dates in ("month_first", {"*.txt": "month_first"}):
        ingest(tmp_path, params("whatsapp", whatsapp_dates=dates))
        assert read_messages(tmp_path / "out" / "messages")["sent_at"].to_list() == [
            datetime(2024, 1, 2, 10, tzinfo=UTC)
        ]


def test_a_small_broken_source_does_not_hide_behind_a_large_one(tmp_path: Path) -> None:
    write_log(tmp_path / "logs", native_row(text=None))
    with pytest.raises(DataError, match="native: expected at most"):
        ingest(tmp_path, params("seinfeld", "native", share=0.05))


def test_no_message_at_all_fails_even_with_canaries(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with pytest.raises(DataError, match="at least one message from native"):
        ingest(tmp_path, params("native", canaries=[{"text": "I am Zorblax", "secrets": ["Zorblax"]}]))


@pytest.mark.parametrize("readers", ["[natve]", "[]", "[native, native]", "native"])
def test_params_refuse_unknown_missing_and_repeated_readers(tmp_path: Path, readers: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"ingest:\n  readers: {readers}\n  languages: [en]\n  parts: 4\n  max_rejected_share: 0.05\n")
    with pytest.raises(ParamsError, match=r"params\.yaml:2: ingest\.readers"):
        load_params(path, "ingest", Params)
