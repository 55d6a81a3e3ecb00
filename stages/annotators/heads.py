"""Heads: labelled turns -> weights of a head, and how it does beside its baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rejoinder.parts.annotators import Probabilities
from rejoinder.parts.arrays import Vectors
from stages.annotators.labels import Labelled
from stages.classify.fit import features, fit

#: Fewer rounds than for what is compared closely: these intervals only say how much a figure is worth.
_ROUNDS, _SHARE = 200, (2.5, 97.5)
Measure = Callable[[npt.NDArray[np.int64], Probabilities], float]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A fitted head.

    Attributes:
        weights: float32 [dim, k].
        bias: float32 [k].
        figures: `figure` with `low` and `high`, and the figures of `majority`, `length` and `bag_of_words`.
    """

    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    figures: dict[str, float]

    @property
    def is_worth_it(self) -> bool:
        """Whether it beats every baseline."""
        return self.figures["figure"] > max(self.figures[name] for name in ("majority", "length", "bag_of_words"))


def fit_head(
    learnt: tuple[Labelled, Vectors], judged: tuple[Labelled, Vectors], k: int, metric: str, strength: float
) -> Head:
    """Fit a head and measure it.

    Args:
        learnt: labelled turns, and float32 [n, dim], theirs.
        judged: others by which it is measured.
        k: how many labels there are.
        metric: one of `METRICS`.
        strength: inverse of the penalty on the squared weights.

    Returns:
        The head with its figures.
    """
    (train, vectors), (test, unseen) = learnt, judged
    weights = _fit(vectors, train, k, strength)
    probabilities = _softmax(unseen @ weights[:-1] + weights[-1])
    measure = METRICS[metric]
    low, high = _interval(measure, test, probabilities)
    figures = {"figure": measure(test.numbers, probabilities), "low": low, "high": high}
    counts = np.bincount(train.numbers, minlength=k).astype(np.float32)
    figures["majority"] = measure(test.numbers, np.tile(counts / counts.sum(), (len(test.texts), 1)))
    lengths = _fit(_lengths(train.texts), train, k, strength)
    figures["length"] = measure(test.numbers, _softmax(_lengths(test.texts) @ lengths[:-1] + lengths[-1]))
    figures["bag_of_words"] = measure(test.numbers, _bag_of_words(train, test, k, strength))
    return Head(weights[:-1], weights[-1], figures)


def _fit(rows: Any, train: Labelled, k: int, strength: float) -> npt.NDArray[np.float32]:
    return fit(rows, train.numbers, k, strength, np.ones(len(train.texts)))


def _bag_of_words(train: Labelled, test: Labelled, k: int, strength: float) -> Probabilities:
    nothing = [np.zeros((len(part.texts), 1), np.float32) for part in (train, test)]
    weights = _fit(features(nothing[0], train.texts), train, k, strength)
    return _softmax(features(nothing[1], test.texts) @ weights[:-1] + weights[-1])


def _lengths(texts: list[str]) -> Vectors:
    """Characters and words of texts, as logarithms: what is told without reading."""
    return np.array([[np.log1p(len(text)), np.log1p(len(text.split()))] for text in texts], np.float32)


def _softmax(scores: npt.NDArray[np.float32]) -> Probabilities:
    found = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True), np.float32)


def _interval(measure: Measure, test: Labelled, probabilities: Probabilities) -> tuple[float, float]:
    """95% by a bootstrap over groups."""
    groups = np.unique(np.array(test.groups), return_inverse=True)[1]
    rows = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    random, found = np.random.default_rng(0), []
    for _ in range(_ROUNDS):
        drawn = np.concatenate([rows[n] for n in random.integers(0, len(rows), len(rows))])
        if len(set(test.numbers[drawn].tolist())) > 1:
            found.append(measure(test.numbers[drawn], probabilities[drawn]))
    low, high = np.percentile(found, _SHARE)
    return float(low), float(high)


def _accuracy(numbers: npt.NDArray[np.int64], probabilities: Probabilities) -> float:
    return float((probabilities.argmax(axis=1) == numbers).mean())


def _macro_f1(numbers: npt.NDArray[np.int64], probabilities: Probabilities) -> float:
    from sklearn.metrics import f1_score

    labels = np.unique(numbers)
    return float(f1_score(numbers, probabilities.argmax(axis=1), labels=labels, average="macro", zero_division=0))


def _auc(numbers: npt.NDArray[np.int64], probabilities: Probabilities) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(numbers == 1, probabilities[:, 1]))


#: How a head is measured; the higher, the better. AUC is that of the second of two labels.
METRICS: dict[str, Measure] = {"accuracy": _accuracy, "macro_f1": _macro_f1, "auc": _auc}
