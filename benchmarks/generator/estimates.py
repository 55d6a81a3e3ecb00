"""Estimates: ratios of sums with 95% intervals, from a bootstrap that draws whole conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
ROUNDS, SEED = 2000, 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float

    def show(self, how: str = ".3f") -> str:
        """As it stands in tables."""
        return f"{self.value:{how}} [{self.low:{how}}, {self.high:{how}}]"

    @classmethod
    def of(cls, value: float, drawn: Floats) -> Estimate:
        """The percentile interval of what was drawn; draws that gave no number do not count."""
        known = drawn[np.isfinite(drawn)]
        low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
        return cls(float(value), float(low), float(high))

    def to_list(self) -> list[float]:
        """For JSON; `Estimate(*list)` reads it."""
        return [self.value, self.low, self.high]


@dataclass(frozen=True, slots=True)
class Draws:
    """How often each conversation was drawn, the same for everything that is compared.

    Attributes:
        group: int64 [items], the conversation of each.
        times: int64 [rounds, conversations].
    """

    group: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]

    @classmethod
    def of(cls, conversations: Sequence[str], rounds: int = ROUNDS, seed: int = SEED) -> Draws:
        """Draw conversations with replacement.

        Args:
            conversations: of each item.
            rounds: resamples.
            seed: of the draws.

        Returns:
            The draws.
        """
        _, group = np.unique(np.asarray(conversations), return_inverse=True)
        count = int(group.max()) + 1
        times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=rounds)
        return cls(group.astype(np.int64), times.astype(np.int64))

    def means(self, sums: Floats, counts: Floats) -> tuple[float, Floats]:
        """The ratio of two sums, of all items and of each resample.

        Args:
            sums: float64 [items].
            counts: float64 [items]; what a sum is divided by.

        Returns:
            The ratio, and float64 [rounds].
        """
        above, below = (np.bincount(self.group, values) for values in (sums, counts))
        return float(sums.sum() / counts.sum()), (self.times @ above) / (self.times @ below)


def mean(values: Floats, draws: Draws) -> Estimate:
    """The mean of items."""
    return Estimate.of(*draws.means(values, np.ones(len(values))))


def perplexity(nats: Floats, counts: Floats, draws: Draws) -> Estimate:
    """What a model finds as hard as choosing among so many: exp of nats for each of what was counted.

    Args:
        nats: float64 [items], minus log-probabilities, summed by item.
        counts: float64 [items]; tokens for a figure per token, ones for a figure per reply of `nats` per token.
        draws: of conversations.

    Returns:
        The perplexity.
    """
    value, drawn = draws.means(nats, counts)
    return Estimate.of(exp(value), np.exp(drawn))


def perplexity_ratio(nats: Floats, others: Floats, counts: Floats, draws: Draws) -> Estimate:
    """A perplexity in multiples of another one, paired: both of the same items, of which the same are drawn.

    Args:
        nats: float64 [items], of the one.
        others: float64 [items], of the other.
        counts: float64 [items], the same for both.
        draws: of conversations.

    Returns:
        The ratio; below 1 where the one is better.
    """
    return perplexity(nats - others, counts, draws)


def auc(labels: npt.NDArray[np.bool_], scores: Floats, weights: Floats | None = None) -> float:
    """How often a positive scores above a negative; ties count half.

    Args:
        labels: bool [n].
        scores: float64 [n].
        weights: float64 [n], how often each is there; by default once.

    Returns:
        From 0 to 1; not a number where one kind is not there.
    """
    weight = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores, kind="stable")
    _, tied = np.unique(scores[order], return_inverse=True)
    positive = np.bincount(tied, np.where(labels, weight, 0)[order])
    negative = np.bincount(tied, np.where(labels, 0, weight)[order])
    below = np.cumsum(negative) - negative
    if not positive.sum() or not negative.sum():
        return float("nan")
    return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))


def auc_draws(labels: npt.NDArray[np.bool_], scores: Floats, draws: Draws) -> Floats:
    """The AUC of each resample, float64 [rounds]; labels and scores as for `auc`."""
    return np.array([auc(labels, scores, times[draws.group].astype(float)) for times in draws.times])
