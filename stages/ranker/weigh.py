"""Weights: how much each output counts beside what the heads say, fitted on real dialogues of validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.evaluation.retrieval import bootstrap_interval
from stages.evaluation.slates import first

Floats = npt.NDArray[np.float32]
_ROUNDS = 2000


@dataclass(frozen=True, slots=True)
class Weighed:
    """What was fitted.

    Attributes:
        weights: of the outputs, in units of the heads' score; all 0 where that gains nothing for certain.
        temperature: what sums are divided by so that their softmax tells how sure a ranker may be.
        figures: R@1 of the heads alone and with the ranker, and the difference with its 95% interval over
            conversations.
    """

    weights: list[float]
    temperature: float
    figures: dict[str, Any]


def weigh(heads: Floats, outputs: Floats, conversations: Sequence[str]) -> Weighed:
    """Fit the weights of outputs beside the heads, to make gold replies likely.

    Args:
        heads: float32 [n, k], the gold reply's first.
        outputs: float32 [n, k, outputs].
        conversations: n names.

    Returns:
        The weights.
    """
    from scipy.optimize import minimize

    def summed(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(heads + outputs @ weights)

    def loss(x: npt.NDArray[np.float64]) -> float:
        scores = np.exp(x[0]) * summed(x[1:])
        scores -= scores.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scores).sum(axis=1)) - scores[:, 0]).mean())

    start = np.array([np.log(20.0), *np.zeros(outputs.shape[-1])])
    fitted = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-4, "fatol": 1e-6}).x
    with_it, without = first(summed(fitted[1:]).astype(np.float32)), first(heads)
    gains = with_it.astype(float) - without.astype(float)
    low, high = bootstrap_interval(gains, conversations, rounds=_ROUNDS, seed=1)
    figures = {
        "without": float(without.mean()),
        "with_ranker": float(with_it.mean()),
        "gain": float(gains.mean()),
        "gain_interval": [low, high],
        "slates": len(gains),
    }
    weights = [round(float(w), 5) for w in fitted[1:]] if low > 0 else [0.0] * outputs.shape[-1]
    return Weighed(weights, float(np.exp(-fitted[0])), figures)
