"""Arrivals: when requests come whose senders do not wait for each other."""

from __future__ import annotations

from random import Random


def poisson(rate: float, seconds: float, seed: int = 0) -> list[float]:
    """Draw moments of a Poisson process.

    Args:
        rate: arrivals a second, on average.
        seconds: how long.
        seed: of the draws.

    Returns:
        Seconds from the start, in order.
    """
    random, moments, now = Random(seed), [], 0.0  # noqa: S311 (no secret)
    while (now := now + random.expovariate(rate)) < seconds:
        moments.append(now)
    return moments
