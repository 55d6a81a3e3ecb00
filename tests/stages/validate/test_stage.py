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

from stages.checks.great_expectations import Finding, check, open_context
from stages.checks.report import report_of
from stages.checks.rule import Rule
from stages.common.errors import DataError
from stages.common.messages import MESSAGES, part_of, part_path, read_messages
from stages.validate import batches
from stages.validate import stage as validate
from stages.validate.batches import group_parts, quarantine
from stages.validate.drift import accept, accepted_file
from tests.stages.validate.runs import CANARY, CLEAN, PARAMS, changed, failed, report, run_on


def test_clean_messages_all_pass(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    out = run_on(tmp_path, CLEAN)
    assert read_messages(out / "messages").equals(pl.DataFrame(CLEAN, schema=MESSAGES))
    assert pl.read_parquet(out / "quarantine.parquet").schema == {**MESSAGES, "rules": pl.List(pl.String)}
    assert report(tmp_path)["success"]
    assert not failed(tmp_path)
    assert json.loads((out / "rules.json").read_text()) == report(tmp_path)["rules"]
    assert "drift was not judged" in report(tmp_path)["notes"][0]
    assert "40 rows in, 40 out, 0 quarantined" in capsys.readouterr().out
    assert not [*project.iterdir(), *home.iterdir()]


#: Bad rows of every row rule, none of a critical rule, and what each breaks; every text carries the canary.
BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"conversation_id": None}, ["conversation_id_present"]),
    ({"message_id": None}, ["message_id_present"]),
    ({"sender": None}, ["sender_present"]),
    ({"sent_at": None}, ["sent_at_present"]),
    ({"text": None}, ["text_present"]),
    ({"text": ""}, ["text_visible"]),
    ({"text": "\u200b \u00a0"}, ["text_visible"]),
    ({"text": f"{CANARY} " * 20}, ["text_length"]),
    ({"sent_at": datetime(1970, 1, 1, tzinfo=UTC)}, ["sent_at_sane"]),
    ({"sent_at": datetime.now(UTC) + timedelta(days=400)}, ["sent_at_sane"]),
    ({"role": CANARY}, ["role_known"]),
    ({"reaction": CANARY}, ["reaction_known"]),
    ({"text": f"{CANARY} call 020 7946 0999", "sent_at": None}, ["sent_at_present", "no_phone"]),
    ({"text": f"{CANARY} at {CANARY}.com"}, ["no_domain"]),
    ({"text": f"{CANARY} <PERSON_0>"}, ["no_bad_slot"]),
    ({"text": f"{CANARY} <PERSON_1"}, ["no_bad_slot"]),
    ({"text": f"{CANARY} EMAIL_1>"}, ["no_bad_slot"]),
    ({"message_id": "m0"}, ["message_unique"]),
    ({"message_id": "m0"}, ["message_unique"]),
    ({"sent_at": datetime(2024, 4, 30, tzinfo=UTC)}, ["clock_forward"]),
    ({"text": f"{CANARY} lol@that...omg"}, ["no_email"]),
    ({"text": f"{CANARY} https://x"}, ["no_url"]),
    ({"text": f"{CANARY} @{CANARY}"}, ["no_handle"]),
    ({"text": f"{CANARY} DE02 1203 0000 0000 2020 51"}, ["no_iban", "no_phone"]),
    ({"text": f"{CANARY} 4111 1111 1111 1111"}, ["no_card", "no_phone"]),
    ({"text": f"{CANARY} 212-73-5001"}, ["no_ssn", "no_phone"]),
    ({"text": f"{CANARY} updated to v1.2.3.4"}, ["no_ip"]),
    ({"text": f"{CANARY} 00:1B:44:11:3A:B7"}, ["no_ip"]),
    ({"text": f"{CANARY} 123456"}, ["no_digits"]),
]


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    extra = [
        {
            **CLEAN[0],
            "conversation_id": "test/bad" if i < 20 else "test/worse",
            "message_id": f"b{i}",
            "order": 100 + i,
            "text": CANARY,
            **values,
        }
        for i, (values, _) in enumerate(BAD)
    ]
    directory = tmp_path_factory.mktemp("dirty")
    run_on(directory, [*CLEAN[:20], *extra, *CLEAN[20:]], max_leftover_share=1.0)
    return directory


def test_bad_rows_go_to_quarantine_with_their_rules(dirty: Path) -> None:
    rejected = pl.read_parquet(dirty / "out/quarantine.parquet")
    assert rejected["rules"].to_list() == [rules for _, rules in BAD]
    assert read_messages(dirty / "out/messages").equals(pl.DataFrame(CLEAN, schema=MESSAGES))


def test_every_row_rule_is_broken_by_a_row(dirty: Path) -> None:
    rules = {rule["id"] for rule in report(dirty)["rules"] if rule["severity"] == "row"}
    assert rules == {rule for _, broken in BAD for rule in broken}


def test_counts_add_up(dirty: Path) -> None:
    found = report(dirty)
    assert (found["rows_in"], found["rows_out"], found["rows_quarantined"]) == (40 + len(BAD), 40, len(BAD))
    rejected = pl.read_parquet(dirty / "out/quarantine.parquet")
    counted = dict(rejected["rules"].explode().value_counts().iter_rows())
    rows = [r for r in found["rules"] if r["suite"] == "messages"]
    assert counted == {r["id"]: r["rows_unexpected"] for r in rows if r["rows_unexpected"]}
    assert counted == {r["rule"]: r["rows"] for r in found["tables"]["Quarantine by rule"]}


def test_no_text_leaves_the_tables(dirty: Path) -> None:
    pages = [p for p in (dirty / "out").rglob("*") if p.is_file() and p.suffix != ".parquet"]
    assert len(pages) == 8
    for page in pages:
        content = page.read_text(encoding="utf-8")
        assert CANARY not in content, page
        assert CLEAN[0]["sender"] not in content, page
        assert "hello <PERSON_1>" not in content, page
        assert "test/c" not in content, page


def test_pages_fetch_nothing_and_link_to_each_other(dirty: Path) -> None:
    site = dirty / "out/data_docs"
    for page in site.rglob("*.html"):
        content = page.read_text(encoding="utf-8")
        assert "://" not in content, page
        assert "<script" not in content, page
        for link in content.split('href="')[1:]:
            target = link.split('"')[0]
            assert target.startswith("#") or (page.parent / target).is_file(), (page, target)


def test_the_first_page_shows_all_suites(dirty: Path) -> None:
    index = (dirty / "out/data_docs/index.html").read_text()
    assert index.index("Suite “messages”") < index.index("Suite “sources”") < index.index("Quarantine by rule")
    assert "Suite “drift”" not in index
    assert all(f"<code>{rule['id']}</code>" in index for rule in report(dirty)["rules"])


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("enough_messages", CLEAN[:19]),
        ("sender_keyed", changed(sender=CANARY)),
        ("no_email_in_ids", changed(message_id=f"{CANARY}@example.org")),
        ("no_phone_in_ids", changed(conversation_id="test/+4930123456")),
        ("no_blank_in_ids", changed(message_id=f"{CANARY} 7")),
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
    assert not (tmp_path / "out/messages").exists()


def test_a_hole_in_slot_numbers_is_a_warning_only(tmp_path: Path) -> None:
    run_on(tmp_path, changed(text="<PERSON_3> it is"))
    assert failed(tmp_path) == {"slots_numbered"}
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


def write_parts(directory: Path, rows: Sequence[dict[str, Any]], parts: int) -> Path:
    directory.mkdir(exist_ok=True)
    for number in range(parts):
        own = [r for r in rows if part_of(r["conversation_id"], parts) == number]
        pl.DataFrame(own, schema=MESSAGES).write_parquet(part_path(directory, number, parts))
    return directory


def test_the_schema_gate_lists_all_problems_of_all_parts(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "in", CLEAN, 2)
    first, second = (pl.read_parquet(part_path(folder, number, 2)) for number in (0, 1))
    pl.concat([first, second.head(1)]).write_parquet(part_path(folder, 0, 2))
    second.with_columns(
        source=pl.lit(None, dtype=pl.String()),
        conversation_id=pl.concat_str(pl.lit("x"), "conversation_id"),
        order=pl.lit(7, dtype=pl.Int64()),
    ).vstack(second).write_parquet(part_path(folder, 1, 2))
    with pytest.raises(DataError) as caught:
        validate.run(PARAMS, messages=folder, out=tmp_path / "out")
    lines = str(caught.value).splitlines()
    one = part_path(folder, 1, 2)
    assert lines[0] == f"{one}: source: expected the reader's name in every row, got {second.height} nulls"
    assert lines[1].startswith(f"{one}: order: expected to rise within a conversation, got ")
    assert lines[2] == f"{folder}: expected each conversation in one part, got 1 in further ones"
    assert "test/c" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_conversation_without_its_source_stops(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="conversation_id: expected '<source>/<id>', got 1 of another form"):
        run_on(tmp_path, changed(conversation_id="c1"))


def test_parts_keep_their_numbers_and_cost_nothing_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*changed(text=""), {**CLEAN[0], "source": "two", "conversation_id": "two/c"}]
    run_on(tmp_path, rows)
    whole = report(tmp_path)
    monkeypatch.setattr(batches, "BATCH_ROWS", 20)  # a bound, so that a test can reach it
    folder = write_parts(tmp_path / "parts", rows, 8)
    validate.run(PARAMS, messages=folder, out=tmp_path / "out")
    assert report(tmp_path) == whole
    for number in range(8):
        given, kept = (pl.read_parquet(part_path(tmp_path / name, number, 8)) for name in ("parts", "out/messages"))
        assert kept.equals(given.filter(pl.col("text") != ""))
    assert pl.read_parquet(tmp_path / "out/quarantine.parquet")["order"].to_list() == [7]
    page = next((tmp_path / "out/data_docs/validations/messages").rglob("*.html")).read_text()
    assert "1 unexpected values found. ≈2.439% of 41 total rows." in page


def test_nothing_lost_since_acceptance_passes_and_half_a_source_stops(tmp_path: Path, project: Path) -> None:
    many = [
        {**r, "conversation_id": f"test/c{i}-{n}", "order": 40 * n + i, "message_id": "m"}
        for n in range(10)
        for i, r in enumerate(CLEAN)
    ]
    single = {"max_one_sender_share": 1.0}
    accept(run_on(tmp_path, many, **single) / "snapshot.json")
    run_on(tmp_path, many[:390], **single)
    assert "Drift was judged" in report(tmp_path)["notes"][0]
    with pytest.raises(DataError, match="test, messages: accepted 400, now 200") as caught:
        run_on(tmp_path, many[:200], **single)
    assert report(tmp_path)["broken"] == ["drift_row_loss"]
    assert f"cp {tmp_path / 'out'}/snapshot.json {accepted_file()}" in str(caught.value)
    assert "Suite “drift”" in (tmp_path / "out/data_docs/index.html").read_text()


def test_rules_that_cannot_be_evaluated_are_all_named() -> None:
    rules = [Rule(name, "row", "", "ExpectColumnValuesToNotBeNull", {"column": name}) for name in ("one", "two")]
    with pytest.raises(DataError, match=r"rule one: .*\nrule two: "):
        check(open_context(), "messages", pl.DataFrame({"three": [CANARY]}), rules)


def findings_of(broken: Sequence[set[int]], checked: int) -> list[Finding]:
    return [
        Finding(Rule(f"r{i}", "row", "", "", {}), not rows, checked, len(rows), tuple(rows), None)
        for i, rows in enumerate(broken)
    ]


@given(st.lists(st.sets(st.integers(0, 39)), max_size=4))
def test_no_row_is_lost_or_doubled(broken: list[set[int]]) -> None:
    table = pl.DataFrame(CLEAN, schema=MESSAGES)
    passed, rejected = quarantine(table, findings_of(broken, table.height))
    bad = set().union(*broken)
    assert rejected["order"].to_list() == sorted(bad)
    assert passed["order"].to_list() == sorted(set(range(40)) - bad)
    for row, rules in zip(rejected["order"], rejected["rules"], strict=True):
        assert rules.to_list() == [f"r{i}" for i, rows in enumerate(broken) if row in rows]


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 60))
def test_batches_hold_every_part_once_and_no_more_rows_than_they_may(rows: list[int], limit: int) -> None:
    groups = group_parts(rows, limit)
    assert [place for group in groups for place in group] == list(range(len(rows)))
    assert all(len(group) == 1 or sum(rows[place] for place in group) <= limit for group in groups)


def test_a_report_of_several_suites_lists_critical_breaches_only() -> None:
    rule = Rule("size", "critical", "", "", {})
    found = report_of("T", {"a": findings_of([{1}], 40), "b": [Finding(rule, False, 1, 0, (), 3)]})
    assert found["broken"] == ["size"]
    assert [row["suite"] for row in found["rules"]] == ["a", "b"]
