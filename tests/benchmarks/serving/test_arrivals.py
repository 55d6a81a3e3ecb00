"""Arrivals come at the rate that was asked for, in order, and the same ones again for the same seed."""

from __future__ import annotations

import itertools
import math

import pytest

from benchmarks.serving.arrivals import poisson
from benchmarks.serving.figures import median


@pytest.mark.parametrize("rate", [5.0, 200.0])
def test_arrivals_come_at_the_rate(rate: float) -> None:
    seconds = 100.0
    count = len(poisson(rate, seconds))
    assert abs(count - rate * seconds) < 4 * math.sqrt(rate * seconds)


def test_times_between_arrivals_are_exponential() -> None:
    moments = poisson(50.0, 200.0)
    between = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert min(between) > 0
    assert median(between) == pytest.approx(math.log(2) / 50.0, rel=0.05)


def test_all_lie_within_the_time() -> None:
    assert all(0 < moment < 3.0 for moment in poisson(100.0, 3.0))


def test_a_seed_repeats_them() -> None:
    assert poisson(10.0, 5.0, seed=3) == poisson(10.0, 5.0, seed=3) != poisson(10.0, 5.0, seed=4)
