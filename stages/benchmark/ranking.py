"""Ranking: what a release's ranker adds to its heads, on fixed slates of test dialogues; what it makes of junk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.answer.filters import Rules
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.progress import track
from stages.common.turn_vectors import TurnVectors
from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import bootstrap_interval
from stages.evaluation.slates import below_median, calibration, first, fixed_rows, heads_scores, junk_of

if TYPE_CHECKING:
    from pathlib import Path

    from rejoinder.parts.opened import OpenRelease

#: Contexts after which junk is scored, too.
_JUNK = 100
Floats = npt.NDArray[np.float32]


def measure_ranking(
    opened: OpenRelease, dialogues: Path, known: Path, *, most: int, rounds: int, seed: int
) -> dict[str, Any]:
    """Rank fixed slates of the test split by the heads alone, and with the ranker.

    Args:
        opened: the candidate.
        dialogues: output of that stage.
        known: output of the stage `turns`.
        most: items of each list.
        rounds: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        For `hard` and `random` lists R@1 of both, the gain with its interval over conversations, and how sure it
        was (expected calibration error, bins of a reliability plot); the share of junk below the median real reply;
        CPU milliseconds a slate. Only `is_used`, where the ranker weighs nothing.
    """
    ranker, heads = opened.ranker, opened.heads
    if ranker is None or heads is None or not ranker.is_used:
        return {"is_used": False}
    every = Candidates.load(dialogues / "test")
    lists = Candidates(every.items.head(most), every.pool)
    turns = TurnVectors(known, opened.vectorizer.id)
    conversations = lists.items["conversation_id"].to_list()
    found: dict[str, Any] = {"is_used": True, "items": len(lists.items)}
    start = time.process_time()
    for kind in ("hard", "random"):
        rows = fixed_rows(lists, kind)
        by_heads, junk = heads_scores(heads, turns, lists, rows), _JUNK if kind == "hard" else 0
        added, spoilt = _added(opened, lists, rows, junk)
        if junk:
            found["junk_below_median"] = below_median(by_heads[: len(spoilt)] + added[: len(spoilt)], spoilt)
        alone, both = first(by_heads), first(by_heads + added)
        gains = both.astype(float) - alone.astype(float)
        low, high = bootstrap_interval(gains, conversations, rounds=rounds, seed=seed)
        found[kind] = {
            "without": float(alone.mean()),
            "with_ranker": float(both.mean()),
            "gain": {"difference": float(gains.mean()), "low": low, "high": high},
            **_calibrated(by_heads + added, ranker.temperature),
        }
    found["cpu_ms"] = 1000 * (time.process_time() - start) / (2 * len(lists.items))
    return found


def _calibrated(scores: Floats, temperature: float) -> dict[str, Any]:
    error, bins = calibration(scores, temperature)
    return {"ece": error, "bins": [{"sure": sure, "right": right, "slates": n} for sure, right, n in bins]}


def _added(opened: OpenRelease, lists: Candidates, rows: npt.NDArray[np.int64], junk: int) -> tuple[Floats, Floats]:
    """What the ranker adds to replies, float32 [n, k]; and the whole scores of junk after the first contexts."""
    ranker, heads = opened.ranker, opened.heads
    if ranker is None or heads is None:
        raise ValueError("expected a ranker and heads")
    pool = lists.pool["text"].to_list()
    contexts, own = lists.items["context"].to_list(), lists.items["context_own"].to_list()
    added, spoilt = [], []  # what the rules drop is never said: it counts as the lowest
    for number in track(range(len(rows)), "benchmark: ranking", "slate"):
        texts, bad = [pool[row] for row in rows[number]], junk_of(contexts[number]) if number < junk else []
        scores = ranker.added(ranker.scores(contexts[number], own[number], [*texts, *bad]))
        added.append(scores[: len(texts)])
        if bad:
            vectors = opened.encoder.encode([*contexts[number][-heads.turns :], *bad]).vectors
            said = len(vectors) - len(bad)
            context = heads.context(vectors[:said], own[number][-heads.turns :])
            fits = heads.replies(vectors[said:]) @ context + scores[len(texts) :]
            both = zip(own[number], contexts[number], strict=True)
            rules = Rules(Dialogue(tuple(Turn("bot" if mine else "user", text) for mine, text in both)))
            spoilt.append([-np.inf if rules.reason(text) else fit for text, fit in zip(bad, fits, strict=True)])
    return np.array(added), np.array(spoilt)
