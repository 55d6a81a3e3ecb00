"""Latency: at 70% of capacity, under ten times the capacity, and what a single request costs besides its steps.

Capacity is what 32 clients that wait for each other get of a server that refuses nobody. All else is measured
with the settings that `rejoinder serve` has by default. Arrivals are a Poisson process; time counts from the
moment that was planned. What HTTP, queue, batching and log take on a single request is the client's time less
that of the steps, which the decision log tells.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from itertools import cycle
from pathlib import Path

from benchmarks.parts import Figures, Part
from benchmarks.report import table
from benchmarks.serving.bodies import Supply, read_bodies
from benchmarks.serving.client import connect, request
from benchmarks.serving.figures import Load, median, percentile
from benchmarks.serving.ours import UNHURRIED, ask, serving
from benchmarks.serving.server import Server
from benchmarks.serving.setting import Setting, command_of
from benchmarks.serving.supplies import Supplies
from rejoinder.serving.decisions.read import Logged, read_decisions

SHARE, MANY = 0.7, 10
_CLIENTS, _WARMING = 32, 10
KINDS = ("fresh", "talk")


def measure(setting: Setting) -> Figures:
    """Capacity, then what is asked at once, at leisure and far too often, by kind."""
    with ExitStack() as stack:
        supplies = Supplies(setting, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        with serving(setting, *UNHURRIED) as server:
            capacity = {kind: _capacity(setting, server, supplies.of("", kind)) for kind in KINDS}
        server = stack.enter_context(serving(setting))
        return {
            "overhead": {kind: _overhead(setting, server, supplies.of("served", kind)) for kind in KINDS},
            "capacity": {kind: asdict(load) for kind, load in capacity.items()},
            "normal": {
                kind: _offered(server, supplies.of("served", kind), SHARE * load.rate, setting.pick(20, 3))
                for kind, load in capacity.items()
            },
            "flood": {
                kind: _offered(server, supplies.of("served", kind), MANY * load.rate, setting.pick(10, 3))
                for kind, load in capacity.items()
            },
        }


def _capacity(setting: Setting, server: Server, supply: Supply) -> Load:
    ask(server, supply, seconds=setting.pick(2, 1), clients=_CLIENTS)
    return ask(server, supply, seconds=setting.pick(10, 2), clients=_CLIENTS)


def _offered(server: Server, supply: Supply, rate: float, seconds: float) -> Figures:
    late = server.late_answers()
    load = ask(server, supply, seconds=seconds, rate=rate)
    return {"offered": rate, "late": server.late_answers() - late, **asdict(load)}


def _overhead(setting: Setting, server: Server, supply: Supply) -> Figures:
    count = int(setting.pick(300, 60)) + _WARMING
    requests = cycle([request(*body) for body in read_bodies(supply.file, supply.taken)])
    spent = asyncio.run(_one_by_one(server.port, requests, count))
    supply.take(count)
    time.sleep(0.5)  # until it is all written
    steps = dict(_steps(server.home / "decisions"))
    rest = [ms - steps[name] for name, ms in spent[_WARMING:] if name in steps]
    return {"requests": len(rest), "p50": median(rest), "p95": percentile(rest, 0.95)} | {
        "whole_p50": median([ms for _, ms in spent[_WARMING:]])
    }


async def _one_by_one(port: int, requests: Iterator[bytes], count: int) -> list[tuple[str, float]]:
    """Ids of answers, and milliseconds until each was there."""
    connection, spent = await connect(port), []
    for _ in range(count):
        start = time.perf_counter()
        answer = await connection.ask(next(requests))
        spent.append((answer.completion, 1000 * (time.perf_counter() - start)))
    connection.close()
    return spent


def _steps(folder: Path) -> Iterator[tuple[str, float]]:
    """Milliseconds of all steps of each answer in a log."""
    for found in read_decisions(folder):
        if isinstance(found, Logged) and found.record["kind"] == "answer":
            yield found.record["completion"], sum(found.record["steps"].values())


def normal_p95(figures: Figures) -> float:
    """The worse 95th percentile at 70% of capacity, in milliseconds."""
    return max(float(figures["normal"][kind]["p95"]) for kind in KINDS)


def overhead(figures: Figures) -> float:
    """The worse median of what a request takes besides its steps, in milliseconds."""
    return max(float(figures["overhead"][kind]["p50"]) for kind in KINDS)


def accepted(figures: Figures, kind: str) -> int:
    """Requests of a flood that were answered."""
    return int(figures["flood"][kind]["statuses"].get("200", 0))


def report(figures: Figures) -> str:
    """Capacity and loads, then what a single request costs besides its steps."""
    rows = []
    for name, title in (("capacity", "32 clients"), ("normal", "70% of it"), ("flood", "ten times as much")):
        for kind in KINDS:
            rows.append([f"{title}, {kind}", *_cells(figures[name][kind])])
    head = ["", "offered a second", "answered a second", "ms, median", "ms, 95", "ms, 99", "429", "other", "late",
            "for a CPU-s", "generator", "others"]  # fmt: skip
    alone = [
        [kind, f"{found['requests']}", f"{found['whole_p50']:.2f}", f"{found['p50']:.2f}", f"{found['p95']:.2f}"]
        for kind, found in figures["overhead"].items()
    ]
    return (
        f"{table(head, rows)}\nLate: answered of what was ready in time, or with words for that. Generator and "
        "others: cores that were busy with them.\n\nOne request at a time, in milliseconds:\n\n"
        + table(["", "requests", "whole, median", "besides its steps, median", "95 of 100"], alone)
    )


def _cells(found: Figures) -> list[str]:
    load = Load(**{key: value for key, value in found.items() if key not in {"offered", "late"}})
    refused = load.statuses.get("429", 0)
    return [
        f"{found['offered']:.1f}" if "offered" in found else "",
        *(f"{value:.1f}" for value in (load.rate, load.p50, load.p95, load.p99)),
        str(refused),
        str(load.sent - load.accepted - refused),
        str(found.get("late", "")),
        *(f"{value:.1f}" for value in (load.per_cpu_second,)),
        *(f"{value:.2f}" for value in (load.own_cpu / load.seconds, load.others)),
    ]


PART = Part("latency", "Latency", measure, report, __doc__ or "")
main = command_of(PART)

if __name__ == "__main__":
    main(prog_name="python -m benchmarks.serving.latency")
