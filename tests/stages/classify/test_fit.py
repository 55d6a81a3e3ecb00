"""Classifiers: fitted to what is near and to what is typed; judged by what they have not seen."""

from __future__ import annotations

import numpy as np
import pytest

from rejoinder.parts.ngrams import BUCKETS
from stages.classify.fit import classifier_of, features, fit, out_of_fold, threshold

DIM = 8
RANDOM = np.random.default_rng(0)


def sample(n: int) -> tuple[np.ndarray, list[str], np.ndarray]:
    """n texts of three labels: the second is told by the vector alone, the third by the words alone."""
    labels = np.arange(n) % 3
    vectors = RANDOM.standard_normal((n, DIM)).astype(np.float32) * 0.1
    vectors[labels == 1, 0] += 1
    texts = ["help me please" if label == 2 else "an ordinary day" for label in labels]
    return vectors, texts, labels


@pytest.mark.parametrize("kinds", [2, 3])
def test_a_classifier_finds_what_the_vector_or_the_words_tell(kinds: int) -> None:
    vectors, texts, labels = sample(120)
    labels = np.minimum(labels, kinds - 1)
    weights = fit(features(vectors, texts), labels, kinds, 10.0, np.ones(120))
    assert weights.shape == (DIM + BUCKETS + 1, kinds)
    fresh, said, expected = sample(60)
    found = classifier_of(weights, [str(n) for n in range(kinds)]).probabilities(fresh, said)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found.argmax(axis=1) == np.minimum(expected, kinds - 1)).mean() > 0.9


def test_what_is_out_of_fold_was_not_learnt() -> None:
    vectors = RANDOM.standard_normal((60, DIM)).astype(np.float32)
    texts = [f"word{n}" for n in range(60)]
    labels = RANDOM.integers(0, 2, 60)
    rows = features(vectors, texts)
    unseen = out_of_fold(rows, labels, 2, 1000.0, np.ones(60), folds=3, seed=0)
    assert (unseen.argmax(axis=1) == labels).mean() < 0.8, "noise cannot be foreseen"
    again = out_of_fold(rows, labels, 2, 1000.0, np.ones(60), folds=3, seed=0)
    assert np.array_equal(unseen, again)


def test_a_weight_of_nothing_is_nothing_learnt() -> None:
    vectors, texts, labels = sample(90)
    wrong = np.where(labels == 1, 0, labels)
    rows = features(np.vstack([vectors, vectors]), texts * 2)
    weights = fit(rows, np.r_[labels, wrong], 3, 10.0, np.r_[np.ones(90), np.full(90, 1e-6)])
    found = classifier_of(weights, "abc").probabilities(vectors, texts)
    assert (found.argmax(axis=1) == labels).all()


def test_a_threshold_lets_the_share_pass_and_no_more() -> None:
    scores = np.linspace(0, 1, 101).astype(np.float32)
    for share in (0.0, 0.01, 0.25):
        assert (scores >= threshold(scores, share)).sum() == int(share * 101)
