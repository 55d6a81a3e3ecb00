"""Ingest: one table, counts that add up, and nothing lost when it fails."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import DataError, ParamsError
from stages.ingest import Params, ingest, run
from stages.params import load_params
from stages.table import MESSAGES, QUARANTINE, Message, Rejected, read_messages

NATIVE = Params(readers=["native"], max_rejected_share=0.5)


def message(conversation: str = "c", number: str = "1", text: str = "Hi", line: int = 1) -> Message:
    sent_at = datetime(2024, 5, 1, tzinfo=UTC)
    return Message("a.jsonl", line, conversation, number, "Zorblax", sent_at, text)


def write_log(folder: Path, *rows: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def native_row(**changes: object) -> dict[str, object]:
    row = {"conversation_id": "c", "message_id": "1", "sender": "Zorblax", "text": "Hi"}
    return {**row, "sent_at": "2024-05-01T12:00:00.1239+02:00", **changes}


def test_blank_and_duplicate_messages_go_to_the_quarantine_with_place_and_row() -> None:
    found = ingest(
        "native",
        [
            message(line=1, text=" \u200b\n"),
            message(line=2),
            Rejected("a.jsonl", 3, "not UTF-8", "raw"),
            message(line=4, text="again"),
            message(line=5, number="2"),
        ],
    )
    # The blank row does not use up its id: the first message with text keeps it.
    assert found.messages.select("conversation_id", "message_id", "order").rows() == [
        ("native/c", "1", 1),
        ("native/c", "2", 3),
    ]
    assert found.quarantine.select("line", "reason").rows() == [
        (1, "blank text"),
        (3, "not UTF-8"),
        (4, "duplicate conversation_id, message_id"),
    ]
    assert json.loads(found.quarantine["row"][2])["text"] == "again"


@given(
    st.lists(
        st.one_of(
            st.builds(message, st.sampled_from("ab"), st.sampled_from("12"), st.sampled_from(["", "\t", "x"])),
            st.builds(Rejected, st.just("a.jsonl"), st.integers(1, 9), st.sampled_from("pq"), st.text(max_size=3)),
        ),
        max_size=12,
    )
)
def test_counts_add_up_and_ids_are_unique(items: list[Message | Rejected]) -> None:
    found = ingest("native", items)
    summary = found.summary()
    assert summary["rows_read"] == len(items) == summary["rows_out"] + sum(summary["rejected"].values())
    assert not found.messages.select(pl.struct("conversation_id", "message_id").is_duplicated()).to_series().any()
    assert found.messages.schema == MESSAGES
    assert found.quarantine.schema == QUARANTINE


def test_run_writes_tables_and_card(tmp_path: Path) -> None:
    write_log(tmp_path / "logs", native_row(), native_row(), native_row(message_id="2", reaction="funny"))
    run(NATIVE, logs=tmp_path / "logs", out=tmp_path / "out")
    table = read_messages(tmp_path / "out/messages.parquet")
    assert table["sent_at"].to_list() == [datetime(2024, 5, 1, 10, 0, 0, 123000, tzinfo=UTC)] * 2
    assert table["reaction"].to_list() == [None, "funny"]
    assert pl.read_parquet(tmp_path / "out/quarantine.parquet").schema == QUARANTINE
    card = json.loads((tmp_path / "out/card.json").read_text())
    assert (card["rows_read"], card["rows_out"], card["rejected"]) == (3, 2, 1)
    assert card["sources"]["native"]["rejected"] == {"duplicate conversation_id, message_id": 1}


def test_too_many_rejected_rows_fail_with_places_and_keep_the_quarantine(tmp_path: Path) -> None:
    bad = [native_row(text=None, sender=f"Zorblax{i}") for i in range(12)]
    write_log(tmp_path / "logs", native_row(), *bad)
    with pytest.raises(DataError) as caught:
        run(NATIVE, logs=tmp_path / "logs", out=tmp_path / "out")
    text = str(caught.value)
    assert "12 of 13" in text
    assert all(f"a.jsonl:{n}: text: string_type" in text for n in range(2, 12))
    assert "a.jsonl:12" not in text
    assert "Zorblax" not in text
    assert not (tmp_path / "out").exists()
    rescued = tmp_path / "out.rejected.parquet"
    assert pl.read_parquet(rescued).height == 12
    write_log(tmp_path / "logs", native_row())
    run(NATIVE, logs=tmp_path / "logs", out=tmp_path / "out")
    assert not rescued.exists()


def test_a_small_broken_source_does_not_hide_behind_a_large_one(tmp_path: Path) -> None:
    write_log(tmp_path / "logs", native_row(text=None))
    params = Params(readers=["seinfeld", "native"], max_rejected_share=0.05)
    with pytest.raises(DataError, match="native: expected at most"):
        run(params, logs=tmp_path / "logs", out=tmp_path / "out")


def test_no_message_at_all_fails(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with pytest.raises(DataError, match="at least one message from native"):
        run(NATIVE, logs=tmp_path / "logs", out=tmp_path / "out")


@pytest.mark.parametrize("readers", ["[natve]", "[]", "[native, native]", "native"])
def test_params_refuse_unknown_missing_and_repeated_readers(tmp_path: Path, readers: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"ingest:\n  readers: {readers}\n  max_rejected_share: 0.05\n")
    with pytest.raises(ParamsError, match=r"params\.yaml:2: ingest\.readers"):
        load_params(path, "ingest", Params)
