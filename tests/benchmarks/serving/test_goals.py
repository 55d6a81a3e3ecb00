"""Every goal is shown with what was measured; what was not measured is said to be so."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from benchmarks.parts import goals_table
from benchmarks.serving.goals import GOALS, at_least, at_most

LOAD = {"seconds": 10.0, "sent": 200, "statuses": {"200": 200}, "p95": 100.0}
FLOOD = LOAD | {"sent": 2000, "statuses": {"200": 198, "429": 1802}, "p95": 190.0}
RATES = {"per_cpu_second": 10.0}
GOOD: dict[str, Any] = {
    "batching": {
        "found": {
            "unranked fresh 1": {"per_cpu_second": 10.0},
            "unranked fresh 32": {"per_cpu_second": 21.0},
            "served fresh 1": {"per_cpu_second": 10.0},
            "served fresh 32": {"per_cpu_second": 13.0},
        }
    },
    "latency": {
        "overhead": {kind: {"p50": 2.5} for kind in ("fresh", "talk")},
        **{name: dict.fromkeys(("fresh", "talk"), LOAD) for name in ("capacity", "normal")},
        "flood": dict.fromkeys(("fresh", "talk"), FLOOD),
    },
    "embeddings_vs": {
        "found": {"rejoinder serve": {"32": {"per_cpu_second": 90.0}}, "LitServe": {"32": {"per_cpu_second": 30.0}}}
    },
    "endurance": {"counts": {"left": 9}, "pss": [["start", 200.0, 1.0], ["end", 215.0, 1.0]], "seconds": 600.0,
                  "swaps": [{}] * 6},
    "kills": {"lost": 0, "confirmed": 1234, "unparsable": 0, "rounds": 50},
    "start": {"wall": [1.9, 2.0, 9.0]},
}  # fmt: skip


def met(found: dict[str, Any]) -> list[str]:
    return [row.split("|")[-2].strip() for row in goals_table(GOALS, found).splitlines()[2:]]


def test_goals_that_are_met_are_said_to_be() -> None:
    assert met(GOOD) == ["yes"] * len(GOALS)


def test_without_figures_nothing_is_claimed() -> None:
    assert met({}) == ["not measured"] * len(GOALS)


def changed(part: str, *path: str, to: Any) -> dict[str, Any]:
    found = deepcopy(GOOD)
    place = found[part]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return found


@pytest.mark.parametrize(
    "found",
    [
        changed("batching", "found", "served fresh 32", to={"per_cpu_second": 12.9}),
        changed("latency", "overhead", "talk", "p50", to=3.1),
        changed("latency", "flood", "fresh", "p95", to=201.0),
        changed("latency", "flood", "fresh", "statuses", to={"200": 198, "429": 1801}),
        changed("latency", "flood", "fresh", "statuses", to={"200": 150, "429": 1850}),
        changed("embeddings_vs", "found", "infinity-emb", to={"32": {"per_cpu_second": 31.0}}),
        changed("endurance", "counts", "mixed", to=1),
        changed("endurance", "pss", to=[["start", 200.0, 1.0], ["end", 221.0, 1.0]]),
        changed("endurance", "seconds", to=60.0),
        changed("kills", "lost", to=1),
        changed("kills", "rounds", to=4),
        changed("start", "wall", to=[2.1]),
    ],
)
def test_one_that_is_missed_is_said_to_be(found: dict[str, Any]) -> None:
    assert met(found).count("**no**") == 1


def test_a_figure_is_judged_as_it_is_shown() -> None:
    assert at_least(1.996, 2) == ("2.00", True)
    assert at_most(3.04, 3) == ("3.0", True)
