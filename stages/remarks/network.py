"""Network: example turns of themes beside ordinary turns -> a hidden layer that finds the theme of a turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rejoinder.parts.arrays import Vectors

if TYPE_CHECKING:
    from stages.classify.training_set import Recipe, Written


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The network and how it does.

    Attributes:
        vectors: float32 [n, dim], of the example turns.
        network: float16 [dim + 1 + k, h + 1], as a bundle holds it: the last hidden unit is the labels' bias.
        figures: shares of examples that it had not seen: `found`, `wrong`; `ordinary` of turns that get a theme.
            By the network alone: the responder heeds the nearest examples and the heads as well.
    """

    vectors: Vectors
    network: npt.NDArray[np.float16]
    figures: dict[str, float]


def fit_themes(
    written: Written, vectors: Vectors, ordinary: tuple[Vectors, Vectors], recipe: Recipe, least: float
) -> Found:
    """Fit the network.

    Args:
        written: example turns; label 0 is for none.
        vectors: float32 [n, dim], theirs.
        ordinary: of turns of the training split, learnt as of no theme; and of the validation split, to measure by.
        recipe: how.
        least: probability from which on a theme answers.

    Returns:
        The network that has seen all, and what one makes of examples that it has not seen.
    """
    from stages.classify.fit import held_out

    seen, aside = held_out(written.numbers, recipe.held_out, recipe.seed)
    learnt, judged = ordinary
    k = len(written.labels)
    first = _network(vectors[seen], written.numbers[seen], learnt, k, recipe)
    likely, quiet = _probabilities(first, vectors[aside]), _probabilities(first, judged)
    sure = likely[:, 1:].max(axis=1) >= least
    right = 1 + likely[:, 1:].argmax(axis=1) == written.numbers[aside]
    figures = {
        "found": float(np.mean(sure & right)),
        "wrong": float(np.mean(sure & ~right)),
        "ordinary": float(np.mean(quiet[:, 1:].max(axis=1) >= least)),
    }
    return Found(vectors, _network(vectors, written.numbers, learnt, k, recipe).astype(np.float16), figures)


def _network(
    vectors: Vectors, numbers: npt.NDArray[np.int64], ordinary: Vectors, k: int, recipe: Recipe
) -> npt.NDArray[np.float32]:
    from stages.classify.network import fit_network

    n, m = len(vectors), len(ordinary)
    labels = np.r_[numbers, np.zeros(m, np.int64)]
    weighed = np.r_[np.ones(n), np.full(m, recipe.ordinary_weight)]
    rows = np.vstack([vectors, ordinary])
    network, bias = fit_network(rows, labels, k, weighed, hidden=recipe.hidden, seed=recipe.seed)
    constant = np.r_[np.zeros(rows.shape[1]), 1, bias]  # a unit that is always 1
    return np.column_stack([network, constant]).astype(np.float32)


def _probabilities(network: npt.NDArray[np.float32], vectors: Vectors) -> npt.NDArray[np.float32]:
    from rejoinder.parts.classifier import network_scores

    likely = np.exp(network_scores(network, vectors))
    return np.asarray(likely / likely.sum(axis=1, keepdims=True))
