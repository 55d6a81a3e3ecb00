"""Neighbours: what our programs' settings save where cores are shared.

The current release answers, and the encoder of the stage `vectorizer` is trained with a quarter of its batch, in
processes of their own that take turns: with nothing set, within somebody's program (a search of one query takes one
thread), and in our programs (`rejoinder.process`). A neighbour does nothing but count. The medians of the rounds
stand; a ratio is that of medians.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks.report import examples, heading, out_option, publish, table
from rejoinder.process import OPENMP_THREADS, THREADS, WAITING, usable_cores
from rejoinder.progress import track

MODULE = "benchmarks.neighbours"
WORK = Path(__file__).with_name("neighbours_work.py")
SETTINGS = {"before": "nothing set", "library": "within somebody's program", "program": "in our programs"}
Spent = dict[str, float]


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Processes that take all the time they get, while the block runs."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def run_once(task: str, setting: str) -> Spent:
    """CPU and wall seconds of one answer or step.

    Args:
        task: "answers" or "steps".
        setting: a key of `SETTINGS`.

    Returns:
        Seconds, by "cpu" and "wall".

    Raises:
        SystemExit: if the process fails, with its message.
    """
    kept = {k: v for k, v in os.environ.items() if k not in (WAITING, OPENMP_THREADS, THREADS)}
    environment = {**kept, "PYTHONPATH": str(WORK.parents[1])}
    # -P: this folder's modules are not to be found under bare names.
    command = [sys.executable, "-P", str(WORK), task, setting]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    spent: Spent = json.loads(done.stdout)
    return spent


def compare(task: str, settings: Sequence[str], rounds: int, beside: int) -> dict[str, Spent]:
    """Run a task under each setting, in turns.

    Args:
        task: "answers" or "steps".
        settings: keys of `SETTINGS`.
        rounds: how often.
        beside: how many neighbours.

    Returns:
        The medians, by setting.
    """
    found: dict[str, list[Spent]] = {setting: [] for setting in settings}
    with neighbours(beside):
        for _ in track(range(rounds), f"{task}, {beside} neighbours", "round"):
            for setting in settings:
                found[setting].append(run_once(task, setting))
    return {s: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for s, runs in found.items()}


def section(task: str, settings: Sequence[str], rounds: int, beside: int) -> str:
    """Measure, and write one table."""
    found = compare(task, settings, rounds, beside)
    first = found[settings[0]]
    rows = [
        [SETTINGS[s], f"{1000 * spent['cpu']:.2f}", f"{1000 * spent['wall']:.2f}", f"{1 / spent['wall']:.2f}",
         f"{first['cpu'] / spent['cpu']:.2f}", f"{first['wall'] / spent['wall']:.2f}"]
        for s, spent in found.items()
    ]  # fmt: skip
    who = "beside one busy process" if beside else "alone"
    load = f"Load {os.getloadavg()[0]:.1f} at the end, what was measured included.\n\n"
    head = ("", "CPU-ms", "wall ms", "per second", "CPU saved, times", "faster, times")
    return f"\n## {task.capitalize()}, {who}\n\n{load}{table(head, rows)}"


@click.command(help=__doc__, epilog=examples(MODULE, "", "--rounds 9 --out build/bench/neighbours.md"))
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Of each measurement.")
@out_option
def main(rounds: int, out: Path | None) -> None:
    """Entry point."""
    text = heading("Neighbours", MODULE, ("faiss-cpu", "onnxruntime", "torch"))
    text += f"- cores usable: {usable_cores()}; rounds: {rounds}\n\n" + (__doc__ or "").split("\n\n")[1]
    for beside in (0, 1):
        text += section("answers", tuple(SETTINGS), rounds, beside)
    text += section("steps", ("before", "program"), rounds, 1)
    publish(text, out)


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
