"""Junk: what a ranker must not love, beside real replies to the same contexts (DialoGPT's issue 43 shows why)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.rankers.slates import Slates
from stages.evaluation.retrieval import Scores

_CONTEXTS = 300
_ALWAYS = (
    "?!?!?!",
    "haha haha haha haha haha",
    "wow amazing great awesome",
    "OMG YES I LOVE IT SO MUCH",
    "😂😂😂😂😂",
)


def junk_of(context: Sequence[str]) -> list[str]:
    """Junk for a context: signs, repeated words, empty praise, capitals, emoji, and the context itself."""
    return [*_ALWAYS, context[-1], " ".join(context[-2:])]


def below_median(score: Callable[[Slates], Scores], slates: Slates) -> float:
    """Share of junk that scores below the median of the slate's real replies.

    Args:
        score: a ranker.
        slates: of real replies.

    Returns:
        From 0 to 1; more is better.
    """
    some = range(min(_CONTEXTS, len(slates)))
    contexts = [slates.contexts[n] for n in some]
    junk = [junk_of(context) for context in contexts]
    pool = [*slates.pool, *(text for texts in junk for text in texts)]
    places = len(slates.pool) + np.arange(len(pool) - len(slates.pool)).reshape(len(junk), -1)
    both = replace(
        slates,
        contexts=contexts,
        own=[slates.own[n] for n in some],
        conversations=[slates.conversations[n] for n in some],
        pool=pool,
        rows=np.hstack([slates.rows[: len(junk)], places]),
    )
    scores = score(both)
    real = slates.rows.shape[1]
    return float(np.mean(scores[:, real:] < np.median(scores[:, :real], axis=1, keepdims=True)))
