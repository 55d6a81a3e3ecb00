"""What is lost is judged by row, by source and by conversation, however large the others are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.common.errors import DataError
from tests.stages.validate.runs import CANARY, CLEAN, changed, report, run_on

LEFT = ["v1.2.3.4", "00:1B:44:11:3A:B7", "10:20:30:40:50:60", "lol@that...omg"]


@pytest.mark.parametrize("text", LEFT)
def test_an_ordinary_row_costs_itself_and_not_the_run(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_on(tmp_path, changed(text=f"{CANARY} {text}"), max_quarantined_share=1.0)
    assert report(tmp_path)["success"]
    assert "40 rows in, 39 out, 1 quarantined, 1 of them with personal data left" in capsys.readouterr().out
    assert pl.read_parquet(tmp_path / "out/quarantine.parquet")["text"].to_list() == [f"{CANARY} {text}"]


def test_personal_data_left_in_too_many_rows_stop_the_run_with_their_number(tmp_path: Path) -> None:
    rows = [{**row, "text": f"hello {LEFT[n]}"} if n < 3 else row for n, row in enumerate(CLEAN)]
    with pytest.raises(DataError, match=r"leftover_share_limited: expected .*0\.5%") as caught:
        run_on(tmp_path, rows, max_quarantined_share=1.0)
    assert "3 quarantined, 3 of them with personal data left" in str(caught.value)


def test_too_many_rejected_rows_stop(tmp_path: Path) -> None:
    rows = changed(text="")
    with pytest.raises(DataError, match=r"quarantined_share: expected at most 2.00% .* got 2.50% \(1 of 40\)"):
        run_on(tmp_path, rows, max_quarantined_share=0.02)
    assert report(tmp_path)["broken"] == ["quarantined_share"]
    run_on(tmp_path, rows, max_quarantined_share=0.025)
    assert report(tmp_path)["success"]


def source(name: str, rows: int, bad: int, start: int = 0, conversations: int = 100) -> list[dict[str, Any]]:
    """Rows of a source, of which the first ones have no text."""
    return [
        {**CLEAN[0], "source": name, "conversation_id": f"{name}/{i % conversations}", "message_id": f"{i}",
         "order": start + i, "text": "" if i < bad else f"hello {i}", "sender": f"{i % 7:016x}"}
        for i in range(rows)
    ]  # fmt: skip


LARGE = source("large", 6000, 0, conversations=600)
LIMITS = {
    "max_quarantined_share": 0.02,
    "max_one_sender_share": 1.0,
    "max_label_share": 1.0,
    "max_sender_share": 1.0,
}


@pytest.mark.parametrize(("rows", "bad"), [(110, 110), (60, 30), (60, 2), (3, 3), (1, 1)])
def test_a_small_lost_source_does_not_hide_behind_a_large_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: int, bad: int
) -> None:
    got = f"small: {rows} rows in, {rows - bad} out, {bad} quarantined"
    with pytest.raises(DataError, match=f"\n  {got}\n"):
        run_on(tmp_path, [*LARGE, *source("small", rows, bad, 6000)], **LIMITS)
    assert report(tmp_path)["broken"] == ["quarantined_share_limited"]
    said = capsys.readouterr().out
    assert f"validate: {got}\n" in said
    assert "validate: large: 6,000 rows in, 6,000 out, 0 quarantined\n" in said


@pytest.mark.parametrize(("rows", "bad"), [(60, 1), (49, 48), (1, 0)])
def test_a_few_lost_rows_of_a_small_source_do_not_stop(tmp_path: Path, rows: int, bad: int) -> None:
    run_on(tmp_path, [*LARGE, *source("small", rows, bad, 6000)], **LIMITS)
    assert report(tmp_path)["success"]


@pytest.mark.parametrize(("rows", "bad", "stops"), [(20, 20, True), (19, 19, False), (21, 20, False)])
def test_a_conversation_that_is_lost_whole_stops_though_its_source_is_large(
    tmp_path: Path, rows: int, bad: int, stops: bool
) -> None:
    lost = [{**row, "source": "large", "conversation_id": "large/lost"} for row in source("x", rows, bad, 6000)]
    if stops:
        with pytest.raises(
            DataError, match="large: 6,020 rows in, 6,000 out, 20 quarantined, 1 conversations lost"
        ):
            run_on(tmp_path, [*LARGE, *lost], **LIMITS)
        assert report(tmp_path)["broken"] == ["conversations_kept"]
    else:
        run_on(tmp_path, [*LARGE, *lost], **LIMITS)
