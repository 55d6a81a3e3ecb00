from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import validate
from stages.errors import DataError
from stages.expectations.rules import Rule
from stages.expectations.suite import Finding, check, open_context
from stages.table import MESSAGES

CANARY = "zebra-quartz-canary"
PARAMS = validate.Params(
    min_messages=20,
    min_conversations=5,
    min_senders=2,
    max_chars=200,
    max_digits=7,
    max_quarantined_share=0.5,
)
CLEAN: list[dict[str, Any]] = [
    {
        "source": "test",
        "conversation_id": f"c{i // 4}",
        "message_id": f"m{i % 4}",
        "sender": f"{i % 3:016x}",
        "sent_at": datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=i),
        "order": i,
        "text": f"hello <PERSON_1>, number {i}, in 1999 or on 12.5.2024 for $1500",
        "reaction": "funny" if i % 5 == 0 else None,
        "role": "user",
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


def test_clean_messages_all_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cwd, home = tmp_path / "cwd", tmp_path / "home"
    cwd.mkdir()
    home.mkdir()
    monkeypatch.chdir(cwd)
    monkeypatch.setenv("HOME", str(home))
    out = run_on(tmp_path, CLEAN)
    assert pl.read_parquet(out / "messages.parquet").equals(pl.DataFrame(CLEAN, schema=MESSAGES))
    assert pl.read_parquet(out / "quarantine.parquet").schema == {**MESSAGES, "rules": pl.List(pl.String)}
    assert report(tmp_path)["success"]
    assert not failed(tmp_path)
    assert json.loads((out / "rules.json").read_text()) == report(tmp_path)["rules"]
    assert "40 rows in, 40 out, 0 quarantined" in capsys.readouterr().out
    assert not [*cwd.iterdir(), *home.iterdir()]


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bad rows of every row rule, none of a critical rule; every text among them carries the canary."""
    bad: list[dict[str, Any]] = [
        {"conversation_id": None},
        {"message_id": None},
        {"sender": None},
        {"sent_at": None},
        {"text": None},
        {"text": ""},
        {"text": f"{CANARY} " * 20},
        {"sent_at": datetime(1970, 1, 1, tzinfo=UTC)},
        {"sent_at": datetime.now(UTC) + timedelta(days=400)},
        {"role": CANARY},
        {"reaction": CANARY},
        {"text": f"{CANARY} call 020 7946 0999", "sent_at": None},
        {"message_id": "m0"},
        {"message_id": "m0"},
    ]
    extra = [
        {**CLEAN[0], "conversation_id": "bad", "message_id": f"b{i}", "text": CANARY, **values}
        for i, values in enumerate(bad)
    ]
    directory = tmp_path_factory.mktemp("dirty")
    run_on(directory, [*CLEAN[:20], *extra, *CLEAN[20:]])
    return directory


def test_bad_rows_go_to_quarantine_with_their_rules(dirty: Path) -> None:
    rejected = pl.read_parquet(dirty / "out/quarantine.parquet")
    assert rejected["rules"].to_list() == [
        ["conversation_id_present"],
        ["message_id_present"],
        ["sender_present"],
        ["sent_at_present"],
        ["text_present"],
        ["text_length"],
        ["text_length"],
        ["sent_at_sane"],
        ["sent_at_sane"],
        ["role_known"],
        ["reaction_known"],
        ["sent_at_present", "no_phone"],
        ["message_unique"],
        ["message_unique"],
    ]
    kept = pl.read_parquet(dirty / "out/messages.parquet")
    assert kept.equals(pl.DataFrame(CLEAN, schema=MESSAGES))


def test_counts_add_up(dirty: Path) -> None:
    found = report(dirty)
    assert (found["rows_in"], found["rows_out"], found["rows_quarantined"]) == (54, 40, 14)
    rejected = pl.read_parquet(dirty / "out/quarantine.parquet")
    counted = dict(rejected["rules"].explode().value_counts().iter_rows())
    assert counted == {r["id"]: r["rows_unexpected"] for r in found["rules"] if r["rows_unexpected"]}


def test_no_text_leaves_the_tables(dirty: Path) -> None:
    pages = [p for p in (dirty / "out").rglob("*") if p.is_file() and p.suffix != ".parquet"]
    assert len(pages) == 5
    for page in pages:
        content = page.read_text(encoding="utf-8")
        assert CANARY not in content, page
        assert CLEAN[0]["sender"] not in content, page
        assert "hello <PERSON_1>" not in content, page


def test_pages_fetch_nothing_and_link_to_each_other(dirty: Path) -> None:
    site = dirty / "out/data_docs"
    for page in site.rglob("*.html"):
        content = page.read_text(encoding="utf-8")
        assert "://" not in content, page
        assert "<script" not in content, page
        for link in content.split('href="')[1:]:
            target = link.split('"')[0]
            assert target.startswith("#") or (page.parent / target).is_file(), (page, target)


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("enough_messages", CLEAN[:19]),
        (
            "enough_conversations",
            [{**r, "conversation_id": "c", "message_id": str(i)} for i, r in enumerate(CLEAN)],
        ),
        ("enough_senders", [{**r, "sender": f"{1:016x}"} for r in CLEAN]),
        ("sender_keyed", changed(sender=CANARY)),
        ("sender_keyed", changed(sender=f"{1:016x}\n")),
        ("no_email", changed(text=f"{CANARY}@Example.ORG")),
        ("no_card", changed(text=f"{CANARY} 4111 1111-1111 1111")),
        ("no_card", changed(text=f"{CANARY} 3782 822463 10005")),
        ("no_digits", changed(text=f"{CANARY} 12345678")),
    ],
)
def test_a_broken_critical_rule_stops(tmp_path: Path, rule: str, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError, match=rf"\n{rule}: expected .*, got \d") as caught:
        run_on(tmp_path, rows, max_quarantined_share=1.0)
    assert CANARY not in str(caught.value)
    assert rule in report(tmp_path)["broken"]
    assert rule in failed(tmp_path)
    assert (tmp_path / "out/data_docs/index.html").is_file()
    assert (tmp_path / "out/quarantine.parquet").is_file()
    assert not (tmp_path / "out/messages.parquet").exists()


def test_too_many_rejected_rows_stop(tmp_path: Path) -> None:
    rows = changed(text="")
    with pytest.raises(DataError, match=r"quarantined_share: expected at most 2.00% .* got 2.50% \(1 of 40\)"):
        run_on(tmp_path, rows, max_quarantined_share=0.02)
    assert report(tmp_path)["broken"] == ["quarantined_share"]
    run_on(tmp_path, rows, max_quarantined_share=0.025)
    assert report(tmp_path)["success"]


def test_an_empty_table_stops_with_every_size_rule(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        run_on(tmp_path, [])
    assert report(tmp_path)["broken"] == ["enough_messages", "enough_conversations", "enough_senders"]
    assert report(tmp_path)["rows_in"] == 0


def test_a_missing_column_stops_before_any_rule(tmp_path: Path) -> None:
    pl.DataFrame(CLEAN, schema=MESSAGES).drop("reaction").write_parquet(tmp_path / "in.parquet")
    with pytest.raises(DataError, match="reaction: expected String, got no such column"):
        validate.run(PARAMS, messages=tmp_path / "in.parquet", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_counting_is_no_card_number(tmp_path: Path) -> None:
    run_on(tmp_path, changed(text=" ".join(str(i) for i in range(25))))
    assert failed(tmp_path) == {"no_phone"}


def test_rules_that_cannot_be_evaluated_are_all_named() -> None:
    rules = [Rule(name, "row", "", "ExpectColumnValuesToNotBeNull", {"column": name}) for name in ("one", "two")]
    with pytest.raises(DataError, match=r"rule one: .*\nrule two: "):
        check(open_context(), "messages", pl.DataFrame({"three": [CANARY]}), rules)


@given(st.lists(st.sets(st.integers(0, 39)), max_size=4))
def test_no_row_is_lost_or_doubled(broken: list[set[int]]) -> None:
    table = pl.DataFrame(CLEAN, schema=MESSAGES)
    findings = [
        Finding(Rule(f"r{i}", "row", "", "", {}), not rows, table.height, tuple(rows), None)
        for i, rows in enumerate(broken)
    ]
    passed, rejected = validate.quarantine(table, findings)
    bad = set().union(*broken)
    assert rejected["order"].to_list() == sorted(bad)
    assert passed["order"].to_list() == sorted(set(range(40)) - bad)
    for row, rules in zip(rejected["order"], rejected["rules"], strict=True):
        assert rules.to_list() == [f"r{i}" for i, rows in enumerate(broken) if row in rows]
