"""Fit: vectors and texts with labels -> the weights of a classifier, and what it makes of examples it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.ngrams import BUCKETS, ngrams

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_ITERATIONS = 100  # of L-BFGS; what it still gains after that changes no decision


def features(vectors: Vectors, texts: Sequence[str]) -> csr_matrix:
    """Lay vectors and n-grams side by side.

    Args:
        vectors: float32 [n, dim], of the texts.
        texts: n of them.

    Returns:
        float32 [n, dim + BUCKETS], sparse.
    """
    from scipy.sparse import csr_matrix, hstack

    found = [ngrams(text) for text in texts]
    ends = np.cumsum([0, *(len(buckets) for buckets, _ in found)])
    values, columns = (np.concatenate([pair[n] for pair in found]) for n in (1, 0))
    return hstack([csr_matrix(vectors), csr_matrix((values, columns, ends), (len(texts), BUCKETS))], format="csr")


def fit(
    rows: csr_matrix, labels: npt.NDArray[np.int64], kinds: int, strength: float, weighed: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Fit a multinomial logistic regression.

    Args:
        rows: float32 [n, f], by `features`.
        labels: int64 [n], from 0; every one of them occurs.
        kinds: how many there are.
        strength: inverse of the penalty on the squared weights (C of scikit-learn).
        weighed: float64 [n], what each row weighs.

    Returns:
        float32 [f + 1, kinds]; the last row is the intercept.
    """
    from sklearn.linear_model import LogisticRegression

    model: Any = LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=1e-3).fit(rows, labels, weighed)
    weights, intercept = model.coef_, model.intercept_
    if kinds == 2:  # of two labels scikit-learn keeps the difference alone
        weights, intercept = np.vstack([-weights / 2, weights / 2]), np.r_[-intercept / 2, intercept / 2]
    return np.asarray(np.vstack([weights.T, intercept]), np.float32)


def held_out(
    labels: npt.NDArray[np.int64], share: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Set a share of every label's rows aside.

    Args:
        labels: int64 [n].
        share: of the rows.
        seed: of the draw.

    Returns:
        int64 [m] and int64 [n - m]: rows to learn from, and rows to measure by, in order.
    """
    draw = np.random.default_rng(seed)
    unseen = [
        draw.permutation(np.flatnonzero(labels == label))[: int(share * np.sum(labels == label))]
        for label in np.unique(labels)
    ]
    aside = np.sort(np.concatenate(unseen))
    return np.setdiff1d(np.arange(len(labels)), aside), aside


def threshold(ordinary: npt.NDArray[np.float32], share: float) -> float:
    """The probability that at most a share of ordinary texts reaches.

    Args:
        ordinary: float32 [n], what a classifier makes of them.
        share: of them.

    Returns:
        The threshold, a little above all the others.
    """
    allowed = int(share * len(ordinary))
    highest = np.sort(ordinary)[::-1][allowed : allowed + 1]
    return float(np.nextafter(highest[0], np.float32(2))) if len(highest) else 0.0
