"""Session feedback: strictly read, counted like every other row, and gone with whoever gave it."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.anonymize.pseudonyms import pseudonym
from stages.anonymize.worker import named_feedback
from stages.common.errors import DataError
from stages.common.messages import FEEDBACK, Feedback, Message, Rejected
from stages.ingest.readers import chitchat, native
from stages.ingest.two_passes import ingest_sources
from tests.stages.ingest.test_stage import message, native_row

GIVEN: dict[str, Any] = {"conversation_id": "c", "ratings": {"witty": 7, "kind": 10}}


def read(folder: Path, *rows: object) -> list[Any]:
    (folder / "a.feedback.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return list(native.read(folder))


def test_native_reads_rated_conversations_beside_messages(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text(json.dumps(native_row()))
    feedback, message_ = read(tmp_path, {**GIVEN, "rater": "u-7"})
    assert feedback == Feedback("a.feedback.jsonl", 1, "c", {"witty": 7, "kind": 10}, "u-7")
    assert isinstance(message_, Message)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ratings": {"witty": 11}}, "ratings: witty: less_than_equal"),
        ({"ratings": {"witty": 0}}, "ratings: witty: greater_than_equal"),
        ({"ratings": {"witty": "7"}}, "ratings: witty: int_type"),
        ({"ratings": {}}, "ratings: too_short"),
        ({"rater": " "}, "rater: string_pattern_mismatch"),
        ({"text": "Zorblax"}, "unknown key"),
    ],
)
def test_a_rating_out_of_its_scale_is_rejected_with_its_field(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    (item,) = read(tmp_path, {**GIVEN, **changes})
    assert isinstance(item, Rejected)
    assert item.reason == reason


def test_a_scale_that_is_no_name_is_rejected_unquoted(tmp_path: Path) -> None:
    (item,) = read(tmp_path, {**GIVEN, "ratings": {"Zorblax is nice": 7}})
    assert isinstance(item, Rejected)
    assert "string_pattern_mismatch" in item.reason


def test_the_packaged_conversations_bring_theirs() -> None:
    found = [item for item in islice(chitchat.read(Path()), 3000) if isinstance(item, Feedback)]
    assert found
    assert all(set(item.ratings) == {"witty", "upbeat", "interesting"} and item.rater is None for item in found)


def table_of(items: list[Any], erased: frozenset[str], folder: Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    tallies = ingest_sources({"native": items}, 2, ["en"], {"native": erased}, folder)
    return pl.read_parquet(folder / "feedback.parquet"), tallies["native"].summary()


def rated(line: int, conversation: str, rater: str | None, **ratings: int) -> Feedback:
    return Feedback("a.feedback.jsonl", line, conversation, ratings, rater)


def test_rows_of_feedback_are_counted_and_what_a_rater_says_again_is_a_duplicate(tmp_path: Path) -> None:
    items = [
        message(),
        rated(1, "c", "Ann", witty=3, kind=4),
        rated(2, "c", "Ann", witty=9),
        rated(3, "c", "Ben", witty=5),
        rated(4, "c", None, witty=6),
        rated(5, "c", None, witty=6),
    ]
    table, summary = table_of(items, frozenset(), tmp_path)
    assert table.schema == FEEDBACK
    assert table.select("rater", "scale", "rating").rows() == [
        ("Ann", "witty", 3),
        ("Ann", "kind", 4),
        ("Ben", "witty", 5),
        (None, "witty", 6),
        (None, "witty", 6),
    ]
    assert (summary["rows_read"], summary["rows_out"], summary["feedback"], summary["duplicate"]) == (6, 1, 4, 1)


def test_what_erased_people_rated_or_may_have_rated_is_gone(tmp_path: Path) -> None:
    items = [
        rated(1, "c", None, witty=1),  # before anybody could know that Ann speaks there
        message("c", sender="Ann"),
        message("d", sender="Ben"),
        rated(2, "c", "Ben", witty=2),
        rated(3, "d", "Ann", witty=3),
        rated(4, "d", None, witty=4),
    ]
    table, summary = table_of(items, frozenset({"Ann"}), tmp_path)
    assert table.select("conversation_id", "rating").rows() == [("native/c", 2), ("native/d", 4)]
    assert (summary["feedback"], summary["erased"]) == (2, 3)


def test_raters_get_the_pseudonyms_that_they_have_as_senders(tmp_path: Path) -> None:
    rows = [("native", "native/c", "u-7", "witty", 7), ("telegram", "telegram/Ann", None, "witty", 8)]
    pl.DataFrame(rows, FEEDBACK, orient="row").write_parquet(tmp_path / "feedback.parquet")
    key = b"k" * 32
    table = named_feedback(tmp_path / "feedback.parquet", key)
    assert table["rater"].to_list() == [pseudonym(key, "native", "u-7"), None]
    assert table["conversation_id"][0] == "native/c"
    assert "Ann" not in table["conversation_id"][1]


def test_a_missing_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"feedback\.parquet: expected a table of feedback, got FileNotFoundError"):
        named_feedback(tmp_path / "feedback.parquet", b"k" * 32)


def test_nothing_rated_is_an_empty_table(tmp_path: Path) -> None:
    table, summary = table_of([message()], frozenset(), tmp_path)
    assert table.is_empty()
    assert table.schema == FEEDBACK
    assert summary["feedback"] == 0
