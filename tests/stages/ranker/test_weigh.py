"""An output counts for as much as it helps on validation, and for nothing where that is not certain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stages.ranker.weigh import weigh

SLATES, REPLIES = 300, 10
CONVERSATIONS = [f"c{n // 3}" for n in range(SLATES)]
Floats = np.ndarray[Any, np.dtype[np.float32]]


def noise(seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((SLATES, REPLIES)).astype(np.float32)


@pytest.fixture(scope="module")
def heads() -> Floats:
    """Scores like those of heads: the gold reply mostly a little above."""
    scores = 0.1 * noise(0)
    scores[:, 0] += 0.1
    return scores


@pytest.fixture(scope="module")
def helpful() -> Floats:
    """An output of larger units that knows what the heads do not."""
    scores = 3 * noise(1)
    scores[:, 0] += 6
    return scores


def test_an_output_that_helps_is_weighed(heads: Floats, helpful: Floats) -> None:
    found = weigh(heads, helpful[..., None], CONVERSATIONS)
    assert found.weights[0] > 0.01
    figures = found.figures
    assert figures["with_ranker"] > figures["without"] + 0.1
    assert figures["gain"] == pytest.approx(figures["with_ranker"] - figures["without"])
    assert 0 < figures["gain_interval"][0] < figures["gain"] < figures["gain_interval"][1]
    assert figures["slates"] == SLATES


def test_an_output_that_guesses_weighs_nothing(heads: Floats) -> None:
    found = weigh(heads, noise(2)[..., None], CONVERSATIONS)
    assert found.weights == [0.0]
    assert found.figures["gain_interval"][0] <= 0


def test_an_output_that_speaks_against_good_replies_is_turned_around(heads: Floats, helpful: Floats) -> None:
    assert weigh(heads, -helpful[..., None], CONVERSATIONS).weights[0] < -0.01


def test_each_output_has_its_own_weight(heads: Floats, helpful: Floats) -> None:
    both = weigh(heads, np.stack([noise(2), helpful], axis=-1), CONVERSATIONS)
    assert len(both.weights) == 2
    assert both.weights[1] > 0.01
    assert abs(both.weights[0]) < both.weights[1]


def test_the_weights_are_in_units_of_the_heads(heads: Floats, helpful: Floats) -> None:
    one, tenth = (weigh(heads * scale, helpful[..., None], CONVERSATIONS) for scale in (1.0, 0.1))
    assert tenth.weights[0] == pytest.approx(one.weights[0] / 10, rel=0.1)
    assert tenth.temperature == pytest.approx(one.temperature / 10, rel=0.1)


def test_the_temperature_makes_sums_into_probabilities(heads: Floats, helpful: Floats) -> None:
    found = weigh(heads, helpful[..., None], CONVERSATIONS)
    scores = (heads + found.weights[0] * helpful) / found.temperature
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    best = chances.argmax(axis=1)
    assert chances.max(axis=1).mean() == pytest.approx((best == 0).mean(), abs=0.05)
