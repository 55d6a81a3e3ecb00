"""Baselines that know nothing of vectors. Each scores every pool reply for every item."""

from __future__ import annotations

import numpy as np

from rejoinder.text import context_text, words
from stages.evaluation.candidates import Bm25, Candidates
from stages.evaluation.retrieval import Scores


def random_scores(candidates: Candidates, seed: int) -> Scores:
    """Chance: uniform scores, float32 [items, pool]."""
    shape = len(candidates.items), len(candidates.pool)
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def length_scores(candidates: Candidates) -> Scores:
    """Length only: the more words, the better; float32 [items, pool], many ties."""
    lengths = np.array([len(words(text)) for text in candidates.pool["text"]], np.float32)
    return np.tile(lengths, (len(candidates.items), 1))


def bm25_scores(candidates: Candidates, context_turns: int) -> Scores:
    """BM25 of the context against the pool, float32 [items, pool]."""
    ranker = Bm25(candidates.pool["text"].to_list())
    contexts = candidates.items["context"].to_list()
    return np.stack([ranker.scores(context_text(turns, context_turns)) for turns in contexts])
