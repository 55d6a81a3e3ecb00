"""Ranks, their summaries, and intervals from a bootstrap over conversations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rejoinder.parts.arrays import Vectors
from rejoinder.text import context_text
from stages.evaluation.candidates import Candidates

Floats = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.int64]
#: Scores of every pool reply for every item, float32 [items, pool].
Scores = npt.NDArray[np.float32]

LISTS = ("random", "hard", "full")


def retrieval_scores(encode: Callable[[list[str]], Vectors], candidates: Candidates, context_turns: int) -> Scores:
    """Score every pool reply for every item by the inner product of their vectors.

    Args:
        encode: texts to unit rows, float32 [n, dim].
        candidates: the fixed lists.
        context_turns: turns joined into a context.

    Returns:
        float32 [items, pool].
    """
    contexts = [context_text(turns, context_turns) for turns in candidates.items["context"].to_list()]
    scores: Scores = encode(contexts) @ encode(candidates.pool["text"].to_list()).T
    return scores


def ranks(scores: Scores, candidates: Candidates, kind: str) -> Ranks:
    """Rank of the gold reply of every item; a tie counts as wrong.

    Args:
        scores: float32 [items, pool].
        candidates: the fixed lists.
        kind: "random", "hard", or "full" (the whole pool).

    Returns:
        int64 [items], 1 is best.
    """
    gold = candidates.items["gold"].to_numpy()
    own = scores[np.arange(len(gold)), gold]
    if kind == "full":
        behind = (own[:, None] > scores).sum(axis=1)
        return np.asarray(scores.shape[1] - behind, np.int64)
    lists = candidates.items[kind].to_list()
    # "Not clearly worse than the gold reply": counts ties, and everything where a score is not a number.
    beaten_by = [len(rows) - int((own[i] > scores[i, rows]).sum()) for i, rows in enumerate(lists)]
    return 1 + np.array(beaten_by, np.int64)


def summarize(rank: Ranks) -> dict[str, float]:
    """R@1, R@10 and mean reciprocal rank of ranks."""
    return {
        "r_at_1": float((rank <= 1).mean()),
        "r_at_10": float((rank <= 10).mean()),
        "mrr": float((1 / rank).mean()),
    }


def bootstrap_interval(
    values: Floats, conversations: Sequence[str], *, rounds: int, seed: int, weights: Floats | None = None
) -> tuple[float, float]:
    """95% percentile interval of the mean, or of a ratio of sums, resampling whole conversations.

    Items of one conversation are not independent, so conversations are drawn, not items
    (cluster bootstrap; Davison & Hinkley 1997, section 3.8).

    Args:
        values: float64 [items].
        conversations: each item's conversation.
        rounds: resamples.
        seed: of the draws.
        weights: float64 [items], what the sum of values is divided by; by default 1 an item.

    Returns:
        Lower and upper bound.
    """
    _, group = np.unique(np.asarray(conversations), return_inverse=True)
    sums = np.bincount(group, weights=values)
    counts = np.bincount(group, weights=weights).astype(np.float64)
    draws = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=rounds)
    means = (draws @ sums) / (draws @ counts)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
