"""Load: ask a server on this machine, from a process whose own CPU is counted apart.

Clients that wait for their answers (`--clients`), or Poisson arrivals that wait for nobody (`--rate`). Fresh
contexts of the test split, or conversations turn after turn. With `--pid` of the server: what its processes
took.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path

import click

from benchmarks.parts import head
from benchmarks.report import examples, out_option, publish, table
from benchmarks.serving.arrivals import poisson
from benchmarks.serving.bodies import Asked, Supply, chat, fresh, read_asked, read_bodies, talk
from benchmarks.serving.client import request
from benchmarks.serving.drive import closed, open_loop
from benchmarks.serving.figures import Load, Samples, percentile
from benchmarks.serving.processes import busy_seconds, cpu_seconds
from benchmarks.serving.setting import PACKAGES

MODULE = "benchmarks.serving.load"
KINDS: dict[str, Callable[[Sequence[Sequence[Asked]]], list[Asked]]] = {"fresh": fresh, "talk": talk}
_FILE = click.Path(path_type=Path, dir_okay=False)


def ask(port: int, pid: int | None, requests: Iterator[bytes], clients: int, moments: list[float] | float) -> Load:
    """Ask a server.

    Args:
        port: of the server.
        pid: of its first process; None if it is not known.
        requests: to send; endless.
        clients: that wait for answers; 0 for arrivals.
        moments: of arrivals; of clients, how many seconds they ask.

    Returns:
        What came of it.
    """
    before, own = (cpu_seconds(pid) if pid else 0.0, busy_seconds()), time.process_time()
    start = time.perf_counter()
    samples, late = _run(port, requests, clients, moments)
    seconds = time.perf_counter() - start
    own = time.process_time() - own
    server = (cpu_seconds(pid) if pid else 0.0) - before[0]
    times = samples.milliseconds
    return Load(
        seconds,
        samples.statuses.total(),
        dict(samples.statuses),
        p50=percentile(times, 0.5),
        p95=percentile(times, 0.95),
        p99=percentile(times, 0.99),
        worst=percentile(times, 1.0),
        server_cpu=server,
        own_cpu=own,
        other_cpu=max(0.0, busy_seconds() - before[1] - own - server),
        lateness=1000 * percentile(late, 0.95) if late else 0.0,
    )


def _run(
    port: int, requests: Iterator[bytes], clients: int, moments: list[float] | float
) -> tuple[Samples, list[float]]:
    import uvloop

    if isinstance(moments, list):
        return uvloop.run(open_loop(port, requests, moments))
    return uvloop.run(closed(port, requests, clients, moments)), []


def rows_of(load: Load) -> list[list[str]]:
    """A load as rows of a table."""
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(load.statuses.items()))
    return [
        ["requests", f"{load.sent}"],
        ["by status", statuses],
        ["accepted a second", f"{load.rate:.1f}"],
        ["ms, median", f"{load.p50:.1f}"],
        ["ms, 95 of 100", f"{load.p95:.1f}"],
        ["ms, 99 of 100", f"{load.p99:.1f}"],
        ["ms, the slowest", f"{load.worst:.1f}"],
        ["CPU-s of the server", f"{load.server_cpu:.2f}"],
        ["accepted for a CPU-s of the server", f"{load.per_cpu_second:.1f}"],
        ["CPU-s of this process", f"{load.own_cpu:.2f}"],
        ["cores busy with something else", f"{load.others:.2f}"],
        ["ms behind the plan, 95 of 100", f"{load.lateness:.1f}"],
    ]


@click.command(
    help=__doc__,
    epilog=examples(
        MODULE,
        "--port 8080 --clients 32 --pid $(pgrep -of 'rejoinder serve')",
        "--port 8080 --rate 50 --kind talk --seconds 30 --out build/bench/load.md",
    ),
)
@click.option("--port", default=8080, show_default=True, help="Of the server.")
@click.option("--pid", type=int, help="Of the server's first process.")
@click.option("--pairs", type=_FILE, default="build/dialogues/pairs.parquet", show_default=True)
@click.option("--kind", type=click.Choice(list(KINDS)), default="fresh", show_default=True)
@click.option("--bodies", type=_FILE, help="Requests as the other benchmarks write them, instead of --pairs.")
@click.option("--skip", default=0, type=click.IntRange(0), help="Requests that come last instead of first.")
@click.option("--clients", default=1, show_default=True, type=click.IntRange(1, 1000), help="Without --rate.")
@click.option("--rate", type=click.FloatRange(0.1, 10_000), help="Arrivals a second.")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(0.1, 3600))
@click.option("--seed", default=0, help="Of the arrivals.")
@click.option("--json", "as_json", is_flag=True, help="One object instead of a table.")
@out_option
def main(
    *,
    port: int,
    pid: int | None,
    pairs: Path,
    kind: str,
    bodies: Path | None,
    skip: int,
    clients: int,
    rate: float | None,
    seconds: float,
    seed: int,
    as_json: bool,
    out: Path | None,
) -> None:
    """Entry point."""
    with tempfile.TemporaryDirectory() as folder:
        file = bodies or Supply(Path(folder) / "bodies", [chat(a) for a in KINDS[kind](read_asked(pairs))]).file
        requests = cycle([request(path, body) for path, body in read_bodies(file, skip)])
    moments = seconds if rate is None else poisson(rate, seconds, seed)
    load = ask(port, pid, requests, 0 if rate is not None else clients, moments)
    if as_json:
        sys.stdout.write(json.dumps(asdict(load)) + "\n")
        return
    text = head("Load", MODULE, PACKAGES, is_quick=False) + "\n" + table(["", ""], rows_of(load))
    publish(text, out)


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
