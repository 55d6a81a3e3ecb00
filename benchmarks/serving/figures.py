"""Figures of a load: what was answered, how fast, and what it cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

OK, LOST = "200", "lost"


def percentile(values: Sequence[float], share: float) -> float:
    """The least of some values that at least a share of them do not exceed.

    Args:
        values: in any order.
        share: from 0 to 1.

    Returns:
        One of the values; not a number if there are none.
    """
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle of some values, or of the two in the middle; not a number if there are none."""
    ordered, half = sorted(values), len(values) // 2
    if not ordered:
        return math.nan
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


@dataclass(slots=True)
class Samples:
    """What came of each request.

    Attributes:
        statuses: of HTTP, or `LOST`: how often.
        milliseconds: of the accepted ones.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    def add(self, status: str, seconds: float) -> None:
        """Note what came of one.

        Args:
            status: of HTTP, or `LOST`.
            seconds: that it took.
        """
        self.statuses[status] += 1
        if status == OK:
            self.milliseconds.append(1000 * seconds)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load.

    Attributes:
        seconds: from the first request to the last answer.
        sent: requests.
        statuses: how often each came; `LOST` for no answer.
        p50: milliseconds of the accepted ones, the median.
        p95: the 95th percentile.
        p99: the 99th.
        worst: the slowest.
        server_cpu: CPU-seconds of the server's processes.
        own_cpu: of the load generator.
        other_cpu: of everything else on the machine.
        lateness: milliseconds that the generator was behind its own plan, the 95th percentile.
    """

    seconds: float
    sent: int
    statuses: Mapping[str, int]
    p50: float
    p95: float
    p99: float
    worst: float
    server_cpu: float
    own_cpu: float
    other_cpu: float
    lateness: float = 0.0

    @property
    def accepted(self) -> int:
        """Requests that were answered as they should be."""
        return self.statuses.get(OK, 0)

    @property
    def lost(self) -> int:
        """Requests without an answer."""
        return self.statuses.get(LOST, 0)

    @property
    def rate(self) -> float:
        """Accepted requests a second."""
        return self.accepted / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Accepted requests for a CPU-second of the server."""
        return self.accepted / self.server_cpu if self.server_cpu else math.nan

    @property
    def others(self) -> float:
        """How many cores were busy with something else."""
        return self.other_cpu / self.seconds
