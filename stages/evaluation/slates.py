"""Slates out of fixed lists: the gold reply before nine others, what the heads say of them, junk beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stages.evaluation.candidates import Candidates, Rows
from stages.evaluation.retrieval import Scores

if TYPE_CHECKING:
    from rejoinder.parts.heads import Heads
    from stages.common.turn_vectors import TurnVectors

#: Replies of a slate, the gold one included.
SIZE = 10
_BINS = 10
_JUNK = (
    "?!?!?!",
    "haha haha haha haha haha",
    "wow amazing great awesome",
    "OMG YES I LOVE IT SO MUCH",
    "😂😂😂😂😂",
)


def fixed_rows(lists: Candidates, kind: str, seed: int = 0) -> Rows:
    """Draw slates out of fixed lists: the gold reply, and nine of the others.

    Args:
        lists: of a split.
        kind: "hard" or "random".
        seed: of the draw; another one is another benchmark.

    Returns:
        int64 [n, 10], of the pool; the gold reply first.
    """
    draw = np.random.default_rng(seed)
    others = [draw.choice(rows, SIZE - 1, replace=False) for rows in lists.items[kind].to_list()]
    return np.column_stack([lists.items["gold"].to_numpy(), np.array(others)]).astype(np.int64)


def heads_scores(heads: Heads, turns: TurnVectors, lists: Candidates, rows: Rows) -> Scores:
    """What the heads say of slates out of fixed lists.

    Args:
        heads: opened.
        turns: vectors of all turns.
        lists: of a split.
        rows: int64 [n, k], of the pool.

    Returns:
        float32 [n, k].
    """
    from rejoinder.parts.heads import Contexts

    contexts, own = lists.items["context"].to_list(), lists.items["context_own"].to_list()
    laid = Contexts(len(contexts), heads.turns, heads.turn_dim)
    for row, (said, mine) in enumerate(zip(contexts, own, strict=True)):
        laid.put(row, turns.of(said[-heads.turns :]), mine[-heads.turns :])
    replies = heads.replies(turns.of(lists.pool["text"].to_list()))
    return np.asarray(np.einsum("nd,nkd->nk", heads.contexts(laid), replies[rows]), np.float32)


def first(scores: Scores) -> npt.NDArray[np.bool_]:
    """Whether the gold reply is above all others, bool [n], of scores float32 [n, k]; a tie is wrong."""
    return np.asarray((scores[:, :1] > scores[:, 1:]).all(axis=1))


def junk_of(context: Sequence[str]) -> list[str]:
    """Junk after a context: signs, repeated words, empty praise, capitals, emoji, and the context itself.

    No ranker may love it (DialoGPT's issue 43 shows why).
    """
    return [*_JUNK, context[-1], " ".join(context[-2:])]


def below_median(real: Scores, junk: Scores) -> float:
    """Share of junk, float32 [n, j], that scores below the median of the slate's real replies, float32 [n, k]."""
    return float(np.mean(junk < np.median(real, axis=1, keepdims=True)))


def calibration(scores: Scores, t: float) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error of the first choice, and the bins of a reliability plot.

    Args:
        scores: float32 [n, k], the gold reply's first.
        t: temperature.

    Returns:
        The error (Guo et al. 2017, equal bins), and mean probability, share right and size of each bin.
    """
    sure = softmax(scores / t)
    best, right = sure.max(axis=1), sure.argmax(axis=1) == 0
    bins = np.minimum((best * _BINS).astype(int), _BINS - 1)
    found = [
        (float(best[bins == n].mean()), float(right[bins == n].mean()), int((bins == n).sum()))
        for n in range(_BINS)
        if (bins == n).any()
    ]
    error = sum(size * abs(mean - share) for mean, share, size in found) / len(best)
    return error, found


def softmax(scores: Scores) -> Scores:
    """Probabilities of each slate's replies, float32 [n, k]."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
