"""Training set: written examples before ordinary turns, with their vectors, and what a classifier makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rejoinder.parts.arrays import Vectors
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.classifier import Classifier, Probabilities
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
        strength: inverse of the penalty on the squared weights.
        folds: parts of the examples that are left out in turn.
        seed: of the folds.
        ordinary_weight: what an ordinary turn weighs beside a written example.
    """

    strength: float
    folds: int
    seed: int
    ordinary_weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A classifier and how it does.

    Attributes:
        weights: float32 [dim + BUCKETS + 1, k].
        classifier: as a bundle will hold it.
        vectors: float32 [n, dim], of the written examples.
        unseen: float32 [n, k], probabilities of the written examples by classifiers that had not seen them.
        ordinary: float32 [m, k], probabilities of the validation split's turns.
    """

    weights: npt.NDArray[np.float32]
    classifier: Classifier
    vectors: Vectors
    unseen: Probabilities
    ordinary: Probabilities


def fit_written(
    written: Written,
    ordinary: tuple[Sequence[str], Sequence[str]],
    vectorizer: Vectorizer,
    known: TurnVectors,
    recipe: Recipe,
) -> Fitted:
    """Fit a classifier to written examples beside ordinary turns.

    Args:
        written: the examples.
        ordinary: turns of the training split, learnt as everything else; and of the validation split, to judge by.
        vectorizer: the exported one.
        known: its vectors of both.
        recipe: how.

    Returns:
        The classifier, and what it makes of examples and ordinary turns that it has not seen.
    """
    from stages.classify.fit import classifier_of, features, fit, out_of_fold

    learnt, judged = ordinary
    vectors = vectorizer.encode([normalize(text) for text in written.texts])
    rows = features(np.vstack([vectors, known.of(list(learnt))]), [*written.texts, *learnt])
    numbers = np.r_[written.numbers, np.zeros(len(learnt), np.int64)]
    k = len(written.labels)
    weighed = np.r_[np.ones(len(written.texts)), np.full(len(learnt), recipe.ordinary_weight)]
    unseen = out_of_fold(rows, numbers, k, recipe.strength, weighed, folds=recipe.folds, seed=recipe.seed)[
        : len(written.texts)
    ]
    weights = fit(rows, numbers, k, recipe.strength, weighed)
    classifier = classifier_of(weights, written.labels)
    quiet = classifier.probabilities(known.of(list(judged)), judged)
    return Fitted(weights, classifier, vectors, unseen, quiet)
