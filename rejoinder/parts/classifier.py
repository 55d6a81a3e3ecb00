"""Classifier: a turn's vector and its n-grams -> probabilities of a few labels; a few matrices, no engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What a classifier of k labels is made of.

    Attributes:
        linear: float16 [dim + BUCKETS + 1, k]: of the vector, of the n-grams, and the intercept.
        network: float16 [dim + 1 + k, h]: of the vector, the bias of h hidden units, and theirs of each label;
            None if it has none.
    """

    linear: npt.NDArray[np.float16]
    network: npt.NDArray[np.float16] | None = None


class Classifier:
    """A logistic regression, with a hidden layer beside it where one helps. Safe to share between threads."""

    def __init__(self, labels: Sequence[str], weights: Weights) -> None:
        """Take weights over.

        Args:
            labels: k of them.
            weights: of the classifier.
        """
        self.labels = tuple(labels)
        linear, network = weights.linear, weights.network
        self._dense = linear[: -BUCKETS - 1].astype(np.float32)
        self._sparse = np.asarray(linear[-BUCKETS - 1 : -1])  # a plain view: a map is slow to take rows of
        self._intercept = linear[-1].astype(np.float32)
        self._network = None if network is None else network.astype(np.float32)

    def probabilities(self, vectors: Vectors, texts: Sequence[str]) -> Probabilities:
        """Classify texts.

        Args:
            vectors: float32 [n, dim], of the texts.
            texts: n of them.

        Returns:
            float32 [n, k], rows that sum to 1.
        """
        scores = vectors @ self._dense + self._intercept
        if self._network is not None:
            scores += network_scores(self._network, vectors)
        for row, text in enumerate(texts):
            buckets, values = ngrams(text)
            scores[row] += values @ self._sparse[buckets].astype(np.float32)
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)


def network_scores(network: npt.NDArray[np.float32], vectors: Vectors) -> npt.NDArray[np.float32]:
    """Scores of a hidden layer.

    Args:
        network: float32 [dim + 1 + k, h], as `Weights.network`.
        vectors: float32 [n, dim].

    Returns:
        float32 [n, k].
    """
    dim = vectors.shape[1]
    hidden = np.maximum(vectors @ network[:dim] + network[dim], 0)
    return np.asarray(hidden @ network[dim + 1 :].T)


def weights_file(name: str) -> str:
    """The file of a classifier's linear weights."""
    return f"{name}.npy"


def network_file(name: str) -> str:
    """The file of its hidden layer, if it has one."""
    return f"{name}-network.npy"


def write_classifier(directory: Path, name: str, weights: Weights) -> None:
    """Write a classifier's weights.

    Args:
        directory: of the bundle.
        name: of the classifier.
        weights: of the classifier.
    """
    np.save(directory / weights_file(name), np.ascontiguousarray(weights.linear))
    if weights.network is not None:
        np.save(directory / network_file(name), np.ascontiguousarray(weights.network))


def read_classifier(
    directory: Path, name: str, labels: Sequence[str], dim: int, files: Collection[str]
) -> Classifier:
    """Map a classifier's weights.

    Args:
        directory: where `write_classifier` wrote it, its bytes verified.
        name: of the classifier.
        labels: k of them.
        dim: length of a turn's vector.
        files: that the bundle's manifest names; with a hidden layer among them, or not.

    Returns:
        The classifier.

    Raises:
        BundleError: if the file is no such array.
    """
    k = len(labels)
    linear = map_array(directory / weights_file(name), np.float16, (dim + BUCKETS + 1, k))
    network, layer = None, network_file(name)
    if layer in files:
        network = map_array(directory / layer, np.float16, (dim + 1 + k, None))
    return Classifier(labels, Weights(linear, network))


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
