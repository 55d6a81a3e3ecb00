"""What is compared: baselines that know nothing, and encoders. Each scores every pool reply for every item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.heads import Contexts, Heads
from rejoinder.progress import track
from rejoinder.text import context_text, words
from stages.evaluation.candidates import Bm25, Candidates
from stages.evaluation.retrieval import LISTS, Ranks, Scores, bootstrap_interval, ranks, summarize

#: Scores of one system, computed when called.
System = Callable[[], Scores]
#: How far up the gold reply must be in each list: of a whole pool hardly anything puts it first.
AT = {"random": 1, "hard": 1, "full": 10}


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


def heads_scores(encode: Callable[[list[str]], Vectors], heads: Heads, candidates: Candidates) -> Scores:
    """Score every pool reply for every item as a release with heads does: each turn alone, heads on top.

    Args:
        encode: texts to unit rows, float32 [n, turn_dim].
        heads: make contexts and replies of turns.
        candidates: the fixed lists.

    Returns:
        float32 [items, pool].
    """
    contexts = [turns[-heads.turns :] for turns in candidates.items["context"].to_list()]
    own = [turns[-heads.turns :] for turns in candidates.items["context_own"].to_list()]
    pool = candidates.pool["text"].to_list()
    distinct = list(dict.fromkeys([*(turn for turns in contexts for turn in turns), *pool]))
    vectors, row_of = encode(distinct), {text: row for row, text in enumerate(distinct)}
    laid = Contexts(len(contexts), heads.turns, heads.turn_dim)
    for row, turns in enumerate(contexts):
        laid.put(row, vectors[[row_of[turn] for turn in turns]], own[row])
    scores: Scores = heads.contexts(laid) @ heads.replies(vectors[[row_of[text] for text in pool]]).T
    return scores


def evaluate(systems: dict[str, System], candidates: Candidates) -> dict[str, dict[str, Ranks]]:
    """Rank the gold replies with every system on every list.

    Args:
        systems: by name, computed one after the other.
        candidates: the fixed lists.

    Returns:
        Ranks, int64 [items], by system and list.
    """
    found = {}
    for name, system in track(systems.items(), "benchmark: ranking", "system"):
        scores = system()
        found[name] = {kind: ranks(scores, candidates, kind) for kind in LISTS}
    return found


def table(
    found: dict[str, dict[str, Ranks]], candidates: Candidates, rounds: int, seed: int
) -> list[dict[str, object]]:
    """One row a system and list: R@1 with its 95% interval, R@10, MRR.

    Args:
        found: from `evaluate`.
        candidates: the lists that were ranked.
        rounds: resamples of the bootstrap.
        seed: of the bootstrap.

    Returns:
        Rows for a table or a plot.
    """
    conversations = candidates.items["conversation_id"].to_list()
    rows: list[dict[str, object]] = []
    for system, by_list in found.items():
        for kind, rank in by_list.items():
            hits = (rank <= 1).astype(np.float64)
            low, high = bootstrap_interval(hits, conversations, rounds=rounds, seed=seed)
            rows.append({"list": kind, "system": system, **summarize(rank), "low": low, "high": high})
    return rows


def gain(
    better: Ranks, worse: Ranks, candidates: Candidates, *, rounds: int, seed: int, k: int = 1
) -> dict[str, float]:
    """Difference of R@k between two systems on the same items, with its 95% interval.

    Args:
        better: ranks of the one, int64 [items].
        worse: ranks of the other, int64 [items].
        candidates: the lists that were ranked.
        rounds: resamples of the bootstrap.
        seed: of the bootstrap.
        k: how far up the gold reply must be.

    Returns:
        difference, low, high.
    """
    difference = (better <= k).astype(np.float64) - (worse <= k)
    conversations = candidates.items["conversation_id"].to_list()
    low, high = bootstrap_interval(difference, conversations, rounds=rounds, seed=seed)
    return {"difference": float(difference.mean()), "low": low, "high": high}
