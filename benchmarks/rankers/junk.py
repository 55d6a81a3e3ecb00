"""Junk: what a ranker must not love, beside real replies to the same contexts (DialoGPT's issue 43 shows why)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.rankers.slates import Slates
from stages.evaluation.retrieval import Scores
from stages.evaluation.slates import below_median as median_below
from stages.evaluation.slates import junk_of

_CONTEXTS = 300


def with_junk(slates: Slates) -> Slates:
    """Some slates of real replies, each with its junk behind them."""
    some = range(min(_CONTEXTS, len(slates)))
    contexts = [slates.contexts[n] for n in some]
    junk = [junk_of(context) for context in contexts]
    pool = [*slates.pool, *(text for texts in junk for text in texts)]
    places = len(slates.pool) + np.arange(len(pool) - len(slates.pool)).reshape(len(junk), -1)
    return replace(
        slates,
        contexts=contexts,
        own=[slates.own[n] for n in some],
        conversations=[slates.conversations[n] for n in some],
        pool=pool,
        rows=np.hstack([slates.rows[: len(junk)], places]),
    )


def below_median(score: Callable[[Slates], Scores], slates: Slates) -> float:
    """Share of junk that scores below the median of the slate's real replies.

    Args:
        score: a ranker.
        slates: of real replies.

    Returns:
        From 0 to 1; more is better.
    """
    scores, real = score(with_junk(slates)), slates.rows.shape[1]
    return median_below(scores[:, :real], scores[:, real:])
