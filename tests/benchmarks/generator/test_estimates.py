"""Ratios of sums by conversation, paired, and AUC with ties."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from benchmarks.generator.estimates import Draws, Estimate, auc, auc_draws, mean, perplexity, perplexity_ratio


def test_a_perplexity_weighs_tokens_and_a_uniform_choice_among_eight_is_eight() -> None:
    draws = Draws.of(["a", "a", "b"])
    counts = np.array([1.0, 2.0, 5.0])
    found = perplexity(counts * log(8), counts, draws)
    assert [found.value, found.low, found.high] == pytest.approx([8, 8, 8])
    uneven = perplexity(np.array([1.0, 0, 0]), counts, draws)
    assert uneven.value == pytest.approx(exp(1 / 8))
    assert uneven.low < uneven.value < uneven.high


def test_whole_conversations_are_drawn() -> None:
    values = np.array([1.0, 1.0, 0.0, 0.0])
    by_pair = mean(values, Draws.of(["a", "a", "b", "b"]))
    assert (by_pair.low, by_pair.high) == (0.0, 1.0)
    alone = mean(values, Draws.of(["a", "b", "a", "b"]))
    assert (alone.low, alone.high) == (0.5, 0.5)


def test_a_paired_ratio_is_sharp_where_both_vary_alike() -> None:
    random = np.random.default_rng(0)
    counts, others = np.full(50, 10.0), random.gamma(2, 20, 50)
    draws = Draws.of([str(n) for n in range(50)])
    found = perplexity_ratio(others - 10 * log(2), others, counts, draws)
    assert [found.value, found.low, found.high] == pytest.approx([0.5, 0.5, 0.5])
    alone = perplexity(others, counts, draws)
    assert alone.high / alone.low > 1.5


def test_draws_repeat_with_their_seed() -> None:
    first, again, other = (Draws.of(["a", "b", "c"], 20, seed) for seed in (1, 1, 2))
    assert (first.times == again.times).all()
    assert (first.times != other.times).any()
    assert (first.times.sum(1) == 3).all()


def test_auc_counts_a_tie_half_and_a_weight_as_often_as_it_says() -> None:
    labels = np.array([True, True, False, False])
    assert auc(labels, np.array([3.0, 2.0, 1.0, 0.0])) == 1
    assert auc(labels, np.array([1.0, 1.0, 1.0, 1.0])) == 0.5
    assert auc(labels, np.array([2.0, 0.0, 1.0, 0.0])) == pytest.approx((2 + 0.5) / 4)
    weighed = auc(labels, np.array([2.0, 0.0, 1.0, 0.0]), np.array([1.0, 3.0, 1.0, 1.0]))
    doubled = auc(np.array([1, 1, 1, 1, 0, 0], bool), np.array([2.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
    assert weighed == pytest.approx(doubled)


def test_auc_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(1)
    labels, scores = random.random(200) < 0.4, random.integers(0, 30, 200).astype(float)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    drawn = auc_draws(labels, scores, Draws.of([str(n // 4) for n in range(200)], 200))
    assert np.percentile(drawn, 2.5) < auc(labels, scores) < np.percentile(drawn, 97.5)


def test_an_estimate_is_shown_with_its_interval() -> None:
    assert Estimate(0.5, 0.25, 0.75).show(".2f") == "0.50 [0.25, 0.75]"
    assert Estimate(*Estimate(1, 2, 3).to_list()) == Estimate(1, 2, 3)
