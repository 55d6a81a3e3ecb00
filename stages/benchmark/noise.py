"""Noise: what typing errors cost what is served, beside what they cost the untuned encoder."""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.benchmark.systems import System
from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import Ranks, bootstrap_interval, ranks


def noise(
    clean: dict[str, Ranks], systems: dict[str, System], candidates: Candidates, rounds: int, seed: int
) -> dict[str, Any]:
    """Rank mistyped contexts.

    Args:
        clean: ranks of each system on the random lists as they are.
        systems: the same, over the mistyped lists.
        candidates: the mistyped lists.
        rounds: resamples of the bootstrap.
        seed: of the bootstrap.

    Returns:
        By system: R@1 of 100, and what was lost, with its interval.
    """
    conversations = candidates.items["conversation_id"].to_list()
    found = {}
    for name, system in systems.items():
        rank = ranks(system(), candidates, "random")
        lost = (clean[name] <= 1).astype(np.float64) - (rank <= 1)
        low, high = bootstrap_interval(lost, conversations, rounds=rounds, seed=seed)
        found[name] = {
            "r_at_1": float((rank <= 1).mean()), "lost": float(lost.mean()), "low": low, "high": high,
        }  # fmt: skip
    return {"checksum": candidates.checksum, **found}
