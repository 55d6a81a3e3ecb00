"""Classifiers: fitted to what is near and to what is typed; judged by what they have not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rejoinder.parts.classifier import Classifier, Weights, read_classifier, write_classifier
from rejoinder.parts.ngrams import BUCKETS
from stages.classify.fit import features, fit, held_out, threshold
from stages.classify.network import fit_network

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
    made = Weights(weights.astype(np.float16))
    found = Classifier([str(n) for n in range(kinds)], made).probabilities(fresh, said)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found.argmax(axis=1) == np.minimum(expected, kinds - 1)).mean() > 0.9


def test_a_share_of_every_label_is_set_aside() -> None:
    labels = np.array([0] * 50 + [1] * 10 + [2])
    seen, aside = held_out(labels, 0.2, seed=0)
    assert np.bincount(labels[aside], minlength=3).tolist() == [10, 2, 0], "nothing of a label that has but one row"
    assert sorted([*seen, *aside]) == list(range(61))
    assert np.array_equal(held_out(labels, 0.2, seed=0)[1], aside)
    assert not np.array_equal(held_out(labels, 0.2, seed=1)[1], aside)


def test_a_network_finds_what_no_line_divides(tmp_path: Path) -> None:
    corners = RANDOM.integers(0, 2, (2000, 2))
    vectors = RANDOM.standard_normal((2000, DIM)).astype(np.float32) * 0.1
    vectors[:, :2] += 2 * corners - 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = (corners[:, 0] == corners[:, 1]).astype(np.int64)
    network, bias = fit_network(vectors, labels, 2, np.ones(2000), hidden=64, seed=0)
    linear = np.zeros((DIM + BUCKETS + 1, 2), np.float16)
    linear[-1] = bias
    write_classifier(tmp_path, "corners", Weights(linear, network.astype(np.float16)))
    files = [path.name for path in tmp_path.iterdir()]
    texts = [""] * 2000
    found = read_classifier(tmp_path, "corners", "ab", DIM, files).probabilities(vectors, texts)
    assert (found.argmax(axis=1) == labels).mean() > 0.85
    alone = read_classifier(tmp_path, "corners", "ab", DIM, ["corners.npy"]).probabilities(vectors, texts)
    assert (alone.argmax(axis=1) == labels).mean() < 0.6


def test_a_weight_of_nothing_is_nothing_learnt() -> None:
    vectors, texts, labels = sample(90)
    wrong = np.where(labels == 1, 0, labels)
    rows = features(np.vstack([vectors, vectors]), texts * 2)
    weights = fit(rows, np.r_[labels, wrong], 3, 10.0, np.r_[np.ones(90), np.full(90, 1e-6)])
    found = Classifier("abc", Weights(weights.astype(np.float16))).probabilities(vectors, texts)
    assert (found.argmax(axis=1) == labels).all()


def test_a_threshold_lets_the_share_pass_and_no_more() -> None:
    scores = np.linspace(0, 1, 101).astype(np.float32)
    for share in (0.0, 0.01, 0.25):
        assert (scores >= threshold(scores, share)).sum() == int(share * 101)
