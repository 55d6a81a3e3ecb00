"""Batching: requests for a CPU-second when 32 clients ask at once, against one by one.

All servers run during the whole measurement, and one at a time is asked, in turns; the median of the rounds
stands. Nobody is refused and nothing is left out for lack of time. `fresh` contexts share no turn, so the
encoder has work with each; in a `talk` all turns but two are known. Vectors: one text a request.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts import Figures, Part
from benchmarks.report import table
from benchmarks.serving.figures import Load, median
from benchmarks.serving.ours import REJOINDER, UNHURRIED, WITHOUT_RANKER, ask, serving
from benchmarks.serving.server import Server
from benchmarks.serving.setting import Setting, command_of
from benchmarks.serving.supplies import Supplies
from rejoinder.process import THREADS
from rejoinder.progress import track

CLIENTS = 32


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to serve, and what it is asked."""

    title: str
    options: tuple[str, ...] = ()
    arithmetic: int = 0
    module: str = REJOINDER
    asked: tuple[tuple[str, int], ...] = (("fresh", 1), ("fresh", CLIENTS))


KINDS = {
    "served": Kind(
        "as served",
        asked=tuple((kind, clients) for kind in ("fresh", "talk", "vectors") for clients in (1, CLIENTS)),
    ),
    "unranked": Kind("without ranker", module=WITHOUT_RANKER),
    "alone": Kind("never together (`--batch-rows 1`)", ("--batch-rows", "1"), asked=(("fresh", CLIENTS),)),
    "one": Kind("`--threads 1`", ("--threads", "1")),
    "wide": Kind(f"`--threads 1`, {THREADS}=2", ("--threads", "1"), arithmetic=2),
}


def measure(setting: Setting) -> Figures:
    """Ask every server in turns."""
    seconds, rounds = setting.pick(2.5, 1), int(setting.pick(5, 1))
    found: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        supplies = Supplies(setting, folder)
        servers = {name: stack.enter_context(_serving(setting, kind)) for name, kind in KINDS.items()}
        for name, server in servers.items():
            ask(server, supplies.of(name, "fresh"), seconds=1, clients=4)
        for _ in track(range(rounds), "batching", "round"):
            for name, server in servers.items():
                _round(name, server, supplies, found, seconds)
    return {"rounds": rounds, "seconds": seconds, "found": {key: _medians(each) for key, each in found.items()}}


def _serving(setting: Setting, kind: Kind) -> Any:
    more = {THREADS: str(kind.arithmetic)} if kind.arithmetic else None
    return serving(setting, *UNHURRIED, *kind.options, more=more, module=kind.module)


def _round(
    name: str, server: Server, supplies: Supplies, found: dict[str, list[dict[str, float]]], seconds: float
) -> None:
    for kind, clients in KINDS[name].asked:
        load = ask(server, supplies.of(name, kind), seconds=seconds, clients=clients)
        found.setdefault(f"{name} {kind} {clients}", []).append(_figures(load))


def _figures(load: Load) -> dict[str, float]:
    return {
        "per_cpu_second": load.per_cpu_second,
        "rate": load.rate,
        "p95": load.p95,
        "failed": load.sent - load.accepted,
        "others": load.others,
        "own": load.own_cpu / load.seconds,
    }


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: median([each[key] for each in rounds]) for key in rounds[0]}


def ratio(figures: Figures, name: str, kind: str) -> float:
    """How many times more requests a CPU-second is good for at many clients than at one."""
    found = figures["found"]
    many, one = (found[f"{name} {kind} {clients}"]["per_cpu_second"] for clients in (CLIENTS, 1))
    return float(many / one)


def report(figures: Figures) -> str:
    """Two tables: every load, and the ratios."""
    rows = []
    for key, found in figures["found"].items():
        name, kind, clients = key.split()
        cells = [f"{found['per_cpu_second']:.1f}", f"{found['rate']:.1f}", f"{found['p95']:.0f}"]
        more = [f"{found['failed']:.0f}", f"{found['own']:.2f}", f"{found['others']:.2f}"]
        rows.append([KINDS[name].title, kind, clients, *cells, *more])
    head = ["", "asked", "clients", "for a CPU-s", "a second", "ms, 95 of 100", "failed", "generator", "others"]
    pairs = [("served", "fresh"), ("served", "talk"), ("served", "vectors"), ("unranked", "fresh"),
             ("one", "fresh"), ("wide", "fresh")]  # fmt: skip
    ratios = [[KINDS[n].title, kind, f"{ratio(figures, n, kind):.2f}"] for n, kind in pairs]
    return (
        f"{figures['rounds']} rounds of {figures['seconds']:g} s each. Generator and others: cores that were busy "
        f"with them.\n\n{table(head, rows)}\n"
        f"Requests for a CPU-second at {CLIENTS} clients, in multiples of one by one:\n\n"
        f"{table(['', 'asked', 'times'], ratios)}"
    )


PART = Part("batching", "Batching", measure, report, __doc__ or "")
main = command_of(PART)

if __name__ == "__main__":
    main(prog_name="python -m benchmarks.serving.batching")
