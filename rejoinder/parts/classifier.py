"""Classifier: a turn's vector and its n-grams -> probabilities of a few labels; one matrix, no engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rejoinder.errors import BundleError, Problem
from rejoinder.parts.arrays import Vectors, map_array, unit_rows
from rejoinder.parts.ngrams import BUCKETS, ngrams
from rejoinder.parts.probes import stored_vectors_problems

#: Probed examples; a file holds as many rows, repeated if there are fewer.
PROBED = 32
#: Largest difference of a probability that a stored vector gives here and gave at build: rounding, no more.
_ROUNDING = 1e-3

Probabilities = npt.NDArray[np.float32]


class Classifier:
    """A multinomial logistic regression. Safe to share between threads."""

    def __init__(self, labels: Sequence[str], weights: npt.NDArray[np.float16]) -> None:
        """Take weights over.

        Args:
            labels: k of them.
            weights: float16 [dim + BUCKETS + 1, k]: of the vector, of the n-grams, and the intercept.
        """
        self.labels = tuple(labels)
        self._dense = weights[: -BUCKETS - 1].astype(np.float32)
        self._sparse = weights[-BUCKETS - 1 : -1]
        self._intercept = weights[-1].astype(np.float32)

    def probabilities(self, vectors: Vectors, texts: Sequence[str]) -> Probabilities:
        """Classify texts.

        Args:
            vectors: float32 [n, dim], of the texts.
            texts: n of them.

        Returns:
            float32 [n, k], rows that sum to 1.
        """
        scores = vectors @ self._dense + self._intercept
        for row, text in enumerate(texts):
            buckets, values = ngrams(text)
            scores[row] += values @ self._sparse[buckets].astype(np.float32)
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)


def write_classifier(path: Path, weights: npt.NDArray[np.float32]) -> None:
    """Write weights, [dim + BUCKETS + 1, k], as float16."""
    np.save(path, np.ascontiguousarray(weights, np.float16))


def read_classifier(path: Path, labels: Sequence[str], dim: int) -> Classifier:
    """Map a classifier's weights.

    Args:
        path: what `write_classifier` wrote, its bytes verified.
        labels: of its columns.
        dim: length of a turn's vector.

    Returns:
        The classifier.

    Raises:
        BundleError: if the file is no such array.
    """
    return Classifier(labels, map_array(path, np.float16, (dim + BUCKETS + 1, len(labels))))


class ClassifierProbe:
    """Examples whose vectors and probabilities a bundle holds: this machine must find the same."""

    def __init__(self, directory: Path, name: str) -> None:
        """Name the two files.

        Args:
            directory: of the bundle.
            name: of the classifier.
        """
        self._directory = directory
        self.files = (f"{name}-examples.npy", f"{name}-probabilities.npy")

    def write(self, classifier: Classifier, texts: Sequence[str], vectors: Vectors) -> None:
        """Record what a classifier makes of examples.

        Args:
            classifier: as it will be opened.
            texts: the examples; `pick` says which are recorded.
            vectors: float32 [n, dim], theirs.
        """
        rows = pick(len(texts))
        stored = unit_rows(vectors[rows].astype(np.float16))
        np.save(self._directory / self.files[0], vectors[rows].astype(np.float16))
        found = classifier.probabilities(stored, [texts[row] for row in rows])
        np.save(self._directory / self.files[1], found)

    def problems(
        self, classifier: Classifier, texts: Sequence[str], vectors: Vectors, tolerance: float
    ) -> list[Problem]:
        """Compare what this machine makes of the examples with what was recorded.

        Args:
            classifier: opened here.
            texts: the examples, all of them.
            vectors: float32 [32, dim], of the picked ones, encoded here.
            tolerance: largest 1 - cos between a vector made here and one that a bundle holds.

        Returns:
            What differs.
        """
        rows, (examples, probabilities) = pick(len(texts)), self.files
        try:
            stored = unit_rows(map_array(self._directory / examples, np.float16, vectors.shape))
            shape = (len(rows), len(classifier.labels))
            expected = map_array(self._directory / probabilities, np.float32, shape)
        except BundleError as error:
            return list(error.problems)
        found = classifier.probabilities(stored, [texts[row] for row in rows])
        problems = stored_vectors_problems(examples, vectors, stored, tolerance)
        off = float(np.abs(found - expected).max())
        if not off <= _ROUNDING:
            problems.append(Problem(probabilities, f"within {_ROUNDING:g}", f"off by {off:.3g}"))
        return problems


def pick(n: int) -> list[int]:
    """Rows of n examples, spread evenly, that are recorded: `PROBED` of them."""
    return [row * n // PROBED for row in range(PROBED)]
