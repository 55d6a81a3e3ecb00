"""Generated: what the gate asks of a generator; nothing of a build without one."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from stages.common.params import StageParams
from stages.gate.check import Check


class Limits(StageParams):
    """What a generator must reach, and may cost."""

    max_perplexity: float = Field(gt=1)
    """Perplexity of a token of held-out replies, by the form that is served."""
    max_nats_growth: float = Field(ge=0)
    """Share by which held-out replies may be less likely than to the champion's: the interval's lower end."""
    min_distinct_2: float = Field(ge=0, le=1)
    """Share of different pairs of neighbours among the first 5,000 of samples."""
    max_candidates_cpu_s: float = Field(gt=0)
    """CPU-seconds of eight candidates."""


#: What a sample that may be said must not do.
_FAULTS = {
    "long_spans": "with eight words that only one person said",
    "telling_spans": "with a number or kin in three words that only one person said",
    "names": "with a name in the place of a slot",
    "slots": "with a slot",
    "human": "that claim to be human",
}


def generator_checks(generating: dict[str, Any], generated: dict[str, Any] | None, limits: Limits) -> list[Check]:
    """Rules on a generator.

    Args:
        generating: what the stage `benchmark` has measured.
        generated: what the stage `audit` has found in its samples.
        limits: what is allowed.

    Returns:
        All checks; none if there is no generator.
    """
    if not generating["is_there"]:
        return []
    against = generating["against_champion"]
    growth = [("nats against the champion's, lower end", against["low"])] if against else []
    return [
        Check("perplexity of held-out replies", generating["perplexity"]["value"], "<=", limits.max_perplexity),
        *(Check(rule, low, "<=", limits.max_nats_growth) for rule, low in growth),
        Check("different pairs of words in samples", generating["distinct_2"], ">=", limits.min_distinct_2),
        Check("CPU-seconds of eight candidates", generating["cpu_s"], "<=", limits.max_candidates_cpu_s),
        *_remembered(generated or {"samples": 0, "wanted": 1, "after": {}}),
    ]


def _remembered(generated: dict[str, Any]) -> list[Check]:
    """None of these has a limit to set."""
    return [
        Check("samples of the generator", generated["samples"], ">=", generated["wanted"]),
        *(Check(f"samples {_FAULTS[fault]}", count, "<=", 0) for fault, count in generated["after"].items()),
    ]
