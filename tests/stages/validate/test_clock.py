"""The clock: which rows of a conversation are out of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.messages import MESSAGES
from stages.validate.clock import in_time, longest_rising
from stages.validate.rules import EARLIEST

START = datetime(2024, 5, 1, tzinfo=UTC)


def clock(seconds: list[int | None], limit: float = 60.0) -> list[bool]:
    times = [None if s is None else START + timedelta(seconds=s) for s in seconds]
    table = pl.DataFrame(
        {"conversation_id": "test/c", "sent_at": times},
        schema={name: MESSAGES[name] for name in ("conversation_id", "sent_at")},
    )
    latest = START + timedelta(days=30)
    return in_time(table, earliest=EARLIEST, latest=latest, max_backward_s=limit).to_list()


@pytest.mark.parametrize(
    ("seconds", "out"),
    [
        ([0, 100, 40, 100], []),  # within the limit
        ([0, 50, 100, 39, 110], [3]),
        ([0, 9000, 100, 200, 300], [1]),  # one clock ahead does not cost what follows
        ([0, None, 50, 100, 0, 200], [4]),
        ([10**9, 100, 200], []),  # beyond the latest: another rule's
        ([], []),
    ],
)
def test_rows_out_of_time(seconds: list[int | None], out: list[int]) -> None:
    assert [place for place, good in enumerate(clock(seconds)) if not good] == out


@given(st.lists(st.integers(0, 9), max_size=9))
def test_the_longest_rising_is_rising_and_longest(values: list[int]) -> None:
    found = longest_rising(values)
    assert [values[p] for p in found] == sorted(values[p] for p in found)
    assert found == sorted(set(found))
    longer = combinations(values, len(found) + 1)
    assert not any(list(some) == sorted(some) for some in longer)


@given(st.lists(st.integers(0, 1000), max_size=20))
def test_what_passed_the_clock_passes_again(seconds: list[int]) -> None:
    kept: list[int | None] = [s for s, good in zip(seconds, clock(list(seconds)), strict=True) if good]
    assert all(clock(kept))
