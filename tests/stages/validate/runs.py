"""Runs of the stage on small tables, for several files of tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from stages.common.messages import MESSAGES
from stages.validate import stage as validate

CANARY = "zebra-quartz-canary"
PARAMS = validate.Params(
    min_messages=20,
    min_conversations=5,
    min_senders=2,
    max_chars=200,
    max_digits=5,
    max_backward_s=60.0,
    max_repeats=2,
    max_repeated_share=0.1,
    max_only_slots_share=0.1,
    max_foreign_share=0.1,
    max_one_sender_share=0.5,
    max_label_share=0.5,
    max_sender_share=0.6,
    reaction_bands={},
    max_leftover_share=0.005,
    max_quarantined_share=0.5,
    max_row_loss=0.2,
    max_share_change=0.05,
    max_rate_change=0.5,
)
CLEAN: list[dict[str, Any]] = [
    {
        "source": "test",
        "conversation_id": f"test/c{i // 4}",
        "message_id": f"m{i % 4}",
        "sender": f"{i % 3:016x}",
        "sent_at": datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=i),
        "order": i,
        "text": f"hello <PERSON_1>, number {i}, in 1999 or on 12.5.2024 for $1500",
        "reaction": "funny" if i % 5 == 0 else None,
        "role": "user",
        "reply_to": None,
    }
    for i in range(40)
]


def changed(row: int = 7, **values: Any) -> list[dict[str, Any]]:
    rows = [dict(r) for r in CLEAN]
    rows[row] |= values
    return rows


def run_on(directory: Path, rows: Sequence[dict[str, Any]], **limits: Any) -> Path:
    pl.DataFrame(rows, schema=MESSAGES).write_parquet(directory / "in.parquet")
    params = PARAMS.model_copy(update=limits)
    validate.run(params, messages=directory / "in.parquet", out=directory / "out")
    return directory / "out"


def report(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "out/report.json").read_text())
    return found


def failed(directory: Path) -> set[str]:
    return {rule["id"] for rule in report(directory)["rules"] if not rule["success"]}
