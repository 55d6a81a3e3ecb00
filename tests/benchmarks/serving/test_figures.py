"""Percentiles are values that were measured; a load tells what a CPU-second is good for."""

from __future__ import annotations

import math

import pytest

from benchmarks.serving.figures import LOST, Load, Samples, median, percentile


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 2.0), (0.51, 3.0), (0.75, 3.0), (0.95, 4.0), (1.0, 4.0)]
)
def test_a_percentile_is_the_least_value_that_a_share_does_not_exceed(share: float, expected: float) -> None:
    assert percentile([3.0, 1.0, 4.0, 2.0], share) == expected


def test_nothing_has_no_percentile_and_no_median() -> None:
    assert math.isnan(percentile([], 0.95))
    assert math.isnan(median([]))


def test_a_median_lies_between_the_two_in_the_middle() -> None:
    assert median([5.0, 1.0, 9.0]) == 5.0
    assert median([1.0, 9.0, 2.0, 4.0]) == 3.0


def test_only_accepted_requests_have_times() -> None:
    samples = Samples()
    samples.add("200", 0.01)
    samples.add("429", 0.5)
    samples.add(LOST, 0.0)
    assert samples.milliseconds == [10.0]
    assert dict(samples.statuses) == {"200": 1, "429": 1, LOST: 1}


def test_a_load_counts_what_was_accepted() -> None:
    statuses = {"200": 30, "429": 9, LOST: 1}
    load = Load(2.0, 40, statuses, 1.0, 2.0, 3.0, 4.0, server_cpu=1.5, own_cpu=0.1, other_cpu=1.0)
    assert (load.accepted, load.lost, load.rate, load.per_cpu_second, load.others) == (30, 1, 15.0, 20.0, 0.5)
