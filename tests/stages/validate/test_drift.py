"""Drift: what moved since the last accepted snapshot, and what may be chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.checks.great_expectations import check, open_context
from stages.common.errors import DataError
from stages.validate.counts import FLOOR
from stages.validate.drift import (
    Chars,
    Snapshot,
    SourceSnapshot,
    accept,
    accepted_file,
    changes,
    drift_rules,
    rate_change,
    read_snapshot,
    share_change,
    write_snapshot,
)

BASE: dict[str, Any] = {
    "messages": 10_000,
    "conversations": 500,
    "senders": 80,
    "reactions": {"love": 300, "funny": 2_000},
    "slots": {"PERSON": 400, "CARD": 2},
    "chars": Chars(p50=30, p90=90, p99=170),
}


def snapshot(**values: Any) -> Snapshot:
    return Snapshot(sources={"a": SourceSnapshot(**{**BASE, **values})})


def broken(current: Snapshot, accepted: Snapshot | None = None) -> dict[str, set[str]]:
    """Metrics against each rule."""
    table = changes(accepted or snapshot(), current)
    rules = drift_rules(max_row_loss=0.2, max_share_change=0.05, max_rate_change=0.5)
    found = check(open_context(), "drift", table, rules)
    return {f.rule.id: set(table[list(f.rows)]["metric"]) for f in found if not f.success}


@given(
    st.fixed_dictionaries({n: st.integers(0, 10**6) for n in ("messages", "conversations", "senders")}),
    st.dictionaries(st.sampled_from(["love", "funny"]), st.integers(1, 10**6)),
)
def test_what_did_not_change_has_not_drifted(sizes: dict[str, int], found: dict[str, int]) -> None:
    reactions = {name: min(n, sizes["messages"]) for name, n in found.items()}
    same = snapshot(**sizes, reactions=reactions, slots=found)
    table = changes(same, same).select("row_loss", "share_change", "rate_change")
    assert table.fill_null(0.0).to_numpy().sum() == 0.0


def test_no_change_passes() -> None:
    assert broken(snapshot()) == {}


def test_half_of_a_source_lost_is_found() -> None:
    half = {name: BASE[name] // 2 for name in ("messages", "conversations")}
    assert broken(snapshot(**half, reactions={"love": 150, "funny": 1000}, slots={"PERSON": 200, "CARD": 1})) == {
        "drift_row_loss": {"messages", "conversations"}
    }


def test_a_source_that_is_gone_is_found_and_a_new_one_is_not_compared() -> None:
    gone = Snapshot(sources={"b": SourceSnapshot(**BASE)})
    assert broken(gone) == {"drift_row_loss": {"messages", "conversations", "senders"}}


def test_growth_is_not_a_loss() -> None:
    assert broken(snapshot(conversations=5_000, senders=8_000)) == {}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"reactions": {"love": 300, "funny": 2_400}}, {}),
        ({"reactions": {"love": 300, "funny": 2_700}}, {"drift_share_change": {"share of funny"}}),
        ({"reactions": {"love": 300}}, {"drift_share_change": {"share of funny"}}),
        ({"reactions": {**BASE["reactions"], "upvote": 900}}, {"drift_share_change": {"share of upvote"}}),
        ({"slots": {"PERSON": 250, "CARD": 2}}, {}),
        ({"slots": {"PERSON": 100, "CARD": 2}}, {"drift_rate_change": {"PERSON per 1,000"}}),
        ({"slots": {"PERSON": 400}}, {}),  # two more or less are chance
        ({"slots": {**BASE["slots"], "PHONE": 90}}, {"drift_rate_change": {"PHONE per 1,000"}}),
        ({"chars": Chars(p50=10, p90=50, p99=170)}, {"drift_rate_change": {"p50 characters"}}),
    ],
)
def test_shares_rates_and_lengths(values: dict[str, Any], found: dict[str, set[str]]) -> None:
    assert broken(snapshot(**values)) == found


def test_a_few_rows_are_not_judged() -> None:
    few = {
        "messages": FLOOR - 1, "conversations": 9, "senders": 2, "reactions": {"love": 9}, "slots": {"PERSON": 5}
    }  # fmt: skip
    assert broken(snapshot(**few | {"messages": 20, "conversations": 3, "reactions": {}}), snapshot(**few)) == {}


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_changes_are_shares_and_symmetric(before: int, now: int, share: float, other: float) -> None:
    hits, sizes = (int(share * before), int(other * now)), (before, now)
    for change in (share_change, rate_change):
        assert 0.0 <= change(hits, sizes) <= 1.0
        assert change(hits, sizes) == pytest.approx(change(hits[::-1], sizes[::-1]))


def test_acceptance_replaces_the_snapshot_whole(tmp_path: Path) -> None:
    built, accepted = tmp_path / "snapshot.json", accepted_file()
    write_snapshot(built, snapshot())
    accept(built)
    write_snapshot(built, snapshot(messages=7))
    accept(built)
    assert read_snapshot(accepted) == snapshot(messages=7)
    assert [path.name for path in accepted.parent.iterdir()] == ["snapshot.json"]


def test_what_is_no_snapshot_is_neither_read_nor_accepted(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "good.json", snapshot())
    accept(tmp_path / "good.json")
    (tmp_path / "bad.json").write_text('{"version": 2, "sources": {}}')
    for bad in ("bad.json", "missing.json"):
        with pytest.raises(DataError, match="expected a snapshot as `validate` writes it, got"):
            accept(tmp_path / bad)
    assert read_snapshot(accepted_file()) == snapshot()


def test_changes_are_told_in_shares_and_rates() -> None:
    rows = {row["metric"]: row for row in changes(snapshot(), snapshot()).to_dicts()}
    assert rows["share of funny"]["accepted"] == 0.2
    assert rows["PERSON per 1,000"]["current"] == 40.0
    assert pl.DataFrame(list(rows.values())).height == 10
