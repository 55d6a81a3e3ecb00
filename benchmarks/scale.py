"""Scale of the data stages: time and memory of ingest, anonymize, validate and dialogues as the log grows.

The packaged conversations are repeated under new ids, in the native format. Each copy of a message ends in words of
its own, since conversations that say the same are dropped as copies. Every stage is a process of its own, as under
DVC; memory is that of its largest process.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.report import examples, heading, out_option, publish, table
from rejoinder.progress import track

MODULE = "benchmarks.scale"
SIZES = (100_000, 300_000, 1_000_000)
ROOT = Path(__file__).resolve().parents[1]
#: Words that tell copies apart; none of them is a name.
_WORDS = ("though", "today", "again", "maybe", "really", "actually", "lately", "anyway", "still", "always")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stage took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def rows() -> Iterator[dict[str, str]]:
    """Messages without end: the packaged ones, again and again, under new ids."""
    from stages.readers import chitchat
    from stages.table import Message

    items = [item for item in chitchat.read(Path()) if isinstance(item, Message) and item.text.strip()]
    copy = 0
    while True:
        ending = " ".join(_WORDS[int(digit)] for digit in str(copy)) if copy else ""
        for item in items:
            yield {
                "conversation_id": f"{copy}-{item.conversation_id}",
                "message_id": item.message_id,
                "sender": f"{copy}-{item.sender}",
                "sent_at": item.sent_at.isoformat(),
                "text": f"{item.text} {ending}".strip(),
            }
        copy += 1


def write_log(path: Path, messages: int) -> None:
    """Write a native log."""
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        for row, _ in zip(rows(), track(range(messages), "write", "message"), strict=False):
            file.write(json.dumps(row) + "\n")


def write_params(path: Path) -> None:
    """Write the product's parameters, for native logs without canaries."""
    import yaml

    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["ingest"].update(readers=["native"], canaries=[])
    path.write_text(yaml.safe_dump(params), encoding="utf-8")


def commands(folder: Path) -> dict[str, list[str]]:
    """Command lines of the stages, by stage."""
    build = {name: str(folder / name) for name in ("ingest", "anonymize", "validate", "dialogues")}
    return {
        "ingest": ["--logs", str(folder / "logs"), "--erase", str(folder / "erase")],
        "anonymize": [
            "--messages", f"{build['ingest']}/messages", "--erased", f"{build['ingest']}/erased.parquet",
        ],
        "validate": ["--messages", f"{build['anonymize']}/messages"],
        "dialogues": ["--messages", f"{build['validate']}/messages"],
    }  # fmt: skip


def run_stage(folder: Path, stage: str, options: Sequence[str]) -> Cost:
    """Run one stage and take its time and memory.

    Args:
        folder: where everything lies.
        stage: its name.
        options: its command line, without parameters and output.

    Returns:
        What it took.

    Raises:
        SystemExit: if it fails, with its message.
    """
    words = [sys.executable, "-m", "stages", stage, "--params", str(folder / "params.yaml"), *options]
    start = time.monotonic()
    process = subprocess.Popen(
        [*words, "--out", str(folder / stage)], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{stage} failed:\n{said.decode(errors='replace')[-2000:]}")
    return Cost(time.monotonic() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)


def measure(messages: int) -> dict[str, Cost]:
    """Run all stages on a log of some size, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="rejoinder-scale-") as name:
        folder = Path(name)
        (folder / "erase").mkdir()
        write_log(folder / "logs/copies.jsonl", messages)
        write_params(folder / "params.yaml")
        stages = track(commands(folder).items(), f"{messages:,} messages", "stage")
        return {stage: run_stage(folder, stage, options) for stage, options in stages}


def report(costs: dict[int, dict[str, Cost]]) -> str:
    """Tables of costs and of slopes.

    Args:
        costs: by size and stage.

    Returns:
        Markdown.
    """
    least, most = min(costs), max(costs)
    listed = [
        [f"{size:,}", stage, f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{cost.peak_mb:,.0f}"]
        for size, stages in costs.items()
        for stage, cost in stages.items()
    ]
    listed += [
        [f"{size:,}", "all", *(f"{sum(values):.1f}" for values in _sums(stages)), f"{_peak(stages):,.0f}"]
        for size, stages in costs.items()
    ]
    text = table(["messages", "stage", "wall s", "CPU s", "largest process MB"], listed)
    if least == most:
        return text
    slopes = [
        [stage, f"{_slope(costs, stage):.2f}", f"{1e6 * _marginal(costs, stage):.0f}"] for stage in costs[most]
    ]
    explained = (
        f"\nFrom {least:,} to {most:,} messages: the exponent of growth (log CPU over log messages; 1 is linear, "
        "less is what starting costs), and CPU-microseconds per further message.\n\n"
    )
    return text + explained + table(["stage", "exponent", "CPU us a message"], slopes)


def _sums(stages: dict[str, Cost]) -> tuple[list[float], list[float]]:
    return [cost.wall_s for cost in stages.values()], [cost.cpu_s for cost in stages.values()]


def _peak(stages: dict[str, Cost]) -> float:
    return max(cost.peak_mb for cost in stages.values())


def _slope(costs: dict[int, dict[str, Cost]], stage: str) -> float:
    least, most = min(costs), max(costs)
    return math.log(costs[most][stage].cpu_s / costs[least][stage].cpu_s) / math.log(most / least)


def _marginal(costs: dict[int, dict[str, Cost]], stage: str) -> float:
    least, most = min(costs), max(costs)
    return (costs[most][stage].cpu_s - costs[least][stage].cpu_s) / (most - least)


@click.command(help=__doc__, epilog=examples(MODULE, "", "--size 10000 --size 30000", "--out scale.md"))
@click.option(
    "--size", "sizes", type=click.IntRange(1), multiple=True, default=SIZES, show_default=True,
    help="Messages of a run; may be repeated.",
)  # fmt: skip
@out_option
def main(sizes: tuple[int, ...], out: Path | None) -> None:
    """Entry point."""
    costs = {size: measure(size) for size in sizes}
    publish(
        heading("Scale of the data stages", MODULE, ("polars", "spacy", "great_expectations"))
        + "\n"
        + report(costs),
        out,
    )


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
