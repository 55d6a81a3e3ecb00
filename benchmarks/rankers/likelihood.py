"""Likelihood: every ranker on the same slates, beside its baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.rankers.slates import Slates
from rejoinder.text import context_text, words
from stages.evaluation.candidates import Bm25
from stages.evaluation.retrieval import Scores, bootstrap_interval
from stages.evaluation.slates import softmax

Ranker = Callable[[Slates], Scores]
_ROUNDS = 2000


@dataclass(frozen=True, slots=True)
class Judged:
    """One ranker on one set of slates.

    Attributes:
        right: bool [n], whether the gold reply is first; a tie is wrong.
        pairwise: share of (gold, other) that it orders so.
        auc: of gold replies against all others, contexts mixed.
    """

    right: npt.NDArray[np.bool_]
    pairwise: float
    auc: float

    @property
    def r_at_1(self) -> float:
        """Share of slates with the gold reply first."""
        return float(self.right.mean())


def random_ranker(seed: int) -> Ranker:
    """Chance."""
    return lambda slates: np.random.default_rng(seed).random(slates.rows.shape, dtype=np.float32)


def length_ranker(slates: Slates) -> Scores:
    """The more words, the better."""
    lengths = np.array([len(words(text)) for text in slates.pool], np.float32)
    return lengths[slates.rows]


def bm25_ranker(slates: Slates) -> Scores:
    """BM25 of the last two turns against the pool."""
    ranker = Bm25(list(slates.pool))
    queries = (context_text(list(turns), 2) for turns in slates.contexts)
    return np.stack([ranker.scores(query)[rows] for query, rows in zip(queries, slates.rows, strict=True)])


def heads_ranker(slates: Slates) -> Scores:
    """What chooses without a ranker: the context head and the reply head."""
    scores: Scores = np.einsum("bd,bkd->bk", slates.context_vectors, slates.reply_vectors[slates.rows])
    return scores


BASELINES: Mapping[str, Ranker] = {
    "random": random_ranker(0),
    "length": length_ranker,
    "bm25": bm25_ranker,
    "context head": heads_ranker,
}


def judge(scores: Scores) -> Judged:
    """Judge scores.

    Args:
        scores: float32 [n, k], the gold reply's first.

    Returns:
        How often it is found.
    """
    from sklearn.metrics import roc_auc_score

    labels = np.zeros(scores.shape, bool)
    labels[:, 0] = True
    above = scores[:, :1] > scores[:, 1:]
    right = np.asarray(above.all(axis=1))
    return Judged(right, float(above.mean()), float(roc_auc_score(labels.ravel(), scores.ravel())))


def gain(judged: Judged, baseline: Judged, slates: Slates) -> tuple[float, float, float]:
    """R@1 over a baseline's, with its 95% interval over conversations."""
    differences = judged.right.astype(float) - baseline.right.astype(float)
    low, high = bootstrap_interval(differences, slates.conversations, rounds=_ROUNDS, seed=1)
    return float(differences.mean()), low, high


def temperature(scores: Scores) -> float:
    """What scores of a validation split are divided by so that their softmax tells how sure a ranker may be."""
    from scipy.optimize import minimize_scalar

    def loss(log_t: float) -> float:
        return -float(np.log(softmax(scores / np.exp(log_t))[:, 0] + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))


def by_length(scores: Scores, slates: Slates) -> list[tuple[str, float]]:
    """AUC of gold replies against others of the same length in words."""
    from sklearn.metrics import roc_auc_score

    lengths = np.array([len(words(text)) for text in slates.pool])[slates.rows]
    labels = np.zeros(scores.shape, bool)
    labels[:, 0] = True
    bands = (("1-3", 0, 3), ("4-8", 4, 8), ("9-15", 9, 15), ("16 and more", 16, 10_000))
    found = []
    for name, least, most in bands:
        there = (lengths >= least) & (lengths <= most)
        if labels[there].any() and not labels[there].all():
            found.append((name, float(roc_auc_score(labels[there], scores[there]))))
    return found
