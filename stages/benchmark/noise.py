"""Noise: what typing errors cost what is served, beside what they cost the untuned encoder."""

from __future__ import annotations

from typing import Any

from stages.benchmark.comparison import Bootstrap, gain
from stages.benchmark.systems import System
from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import Ranks, ranks


def noise(
    clean: dict[str, Ranks], systems: dict[str, System], mistyped: Candidates, bootstrap: Bootstrap
) -> dict[str, Any]:
    """Rank mistyped contexts.

    Args:
        clean: ranks of each system on the random lists as they are.
        systems: the same, over the mistyped lists.
        mistyped: these lists.
        bootstrap: makes the intervals.

    Returns:
        By system: R@1 of 100, and what was lost, with its interval.
    """
    found = {}
    for name, system in systems.items():
        rank = ranks(system(), mistyped, "random")
        lost = gain(clean[name], rank, bootstrap)
        found[name] = {"r_at_1": float((rank <= 1).mean()), "lost": lost.pop("difference"), **lost}
    return {"checksum": mistyped.checksum, **found}
