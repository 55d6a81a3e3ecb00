"""Training set: written examples before ordinary turns, with their vectors, and what a classifier makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from rejoinder.parts.arrays import Vectors
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.classifier import Classifier, Probabilities, Weights
    from rejoinder.parts.vectorizer import Vectorizer
    from stages.common.turn_vectors import TurnVectors


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """Examples that people wrote.

    Attributes:
        texts: n of them, those that are something first.
        numbers: int64 [n], their labels; 0 for those that only resemble something.
        labels: of the numbers, the first one for everything else.
    """

    texts: Sequence[str]
    numbers: npt.NDArray[np.int64]
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a classifier is fitted.

    Attributes:
        strength: inverse of the penalty on the squared weights of the regression.
        held_out: share of the examples that a first classifier does not see, and is measured by.
        seed: of that draw, and of the network.
        hidden: units of the network beside the regression; 0 for none.
        ordinary_weight: what an ordinary turn weighs beside a written example.
    """

    strength: float
    held_out: float
    seed: int
    hidden: int = 0
    ordinary_weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A classifier and how it does.

    Attributes:
        weights: as a bundle will hold them.
        classifier: made of them.
        vectors: float32 [n, dim], of the written examples.
        rows: int64 [u], which of them were set aside once.
        unseen: float32 [u, k], their probabilities by a classifier that had not seen them.
        ordinary: float32 [m, k], probabilities of the validation split's turns.
    """

    weights: Weights
    classifier: Classifier
    vectors: Vectors
    rows: npt.NDArray[np.int64]
    unseen: Probabilities
    ordinary: Probabilities


def encoded(vectorizer: Vectorizer, written: Written) -> Vectors:
    """Vectors of written examples, float32 [n, dim]."""
    return vectorizer.encode([normalize(text) for text in written.texts])


def fit_written(
    written: Written,
    vectors: Vectors,
    ordinary: tuple[Sequence[str], Sequence[str]],
    known: TurnVectors,
    recipe: Recipe,
) -> Fitted:
    """Fit a classifier to written examples beside ordinary turns.

    Args:
        written: the examples.
        vectors: float32 [n, dim], theirs.
        ordinary: turns of the training split, learnt as everything else; and of the validation split, to judge by.
        known: vectors of both, by the same vectorizer.
        recipe: how.

    Returns:
        The classifier, and what it makes of examples and ordinary turns that it has not seen.
    """
    from rejoinder.parts.classifier import Classifier
    from stages.classify.fit import held_out

    learnt, judged = ordinary
    n = len(written.texts)
    everything = _Rows(
        np.vstack([vectors, known.of(list(learnt))]),
        [*written.texts, *learnt],
        np.r_[written.numbers, np.zeros(len(learnt), np.int64)],
        np.r_[np.ones(n), np.full(len(learnt), recipe.ordinary_weight)],
    )
    seen, aside = held_out(written.numbers, recipe.held_out, recipe.seed)
    k = len(written.labels)
    first = Classifier(written.labels, _weights(everything.some(np.r_[seen, n : n + len(learnt)]), k, recipe))
    unseen = first.probabilities(vectors[aside], [written.texts[row] for row in aside])
    weights = _weights(everything, k, recipe)
    classifier = Classifier(written.labels, weights)
    quiet = classifier.probabilities(known.of(list(judged)), judged)
    return Fitted(weights, classifier, vectors, aside, unseen, quiet)


class _Rows(NamedTuple):
    """Texts to learn from: vectors, texts, numbers of labels, and what each weighs."""

    vectors: Vectors
    texts: Sequence[str]
    numbers: npt.NDArray[np.int64]
    weighed: npt.NDArray[np.float64]

    def some(self, rows: npt.NDArray[np.int64]) -> _Rows:
        """Those of some rows."""
        texts = [self.texts[row] for row in rows]
        return _Rows(self.vectors[rows], texts, self.numbers[rows], self.weighed[rows])


def _weights(rows: _Rows, k: int, recipe: Recipe) -> Weights:
    """Fit a regression, and a network beside it if one is wanted: then each has half a say."""
    from rejoinder.parts.classifier import Weights
    from stages.classify.fit import features, fit
    from stages.classify.network import fit_network

    linear = fit(features(rows.vectors, rows.texts), rows.numbers, k, recipe.strength, rows.weighed)
    if not recipe.hidden:
        return Weights(linear.astype(np.float16))
    network, bias = fit_network(rows.vectors, rows.numbers, k, rows.weighed, hidden=recipe.hidden, seed=recipe.seed)
    network[-k:] /= 2
    linear /= 2
    linear[-1] += bias / 2
    return Weights(linear.astype(np.float16), network.astype(np.float16))
