"""Start: seconds until requests are taken, and the memory that processes take.

From the start of the process until `/ready` answers, the files in the page cache, 10 starts, the median. Memory
is PSS: what processes share counts by its share; after 200 answers, with the processes that keep others going.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.parts import Figures, Part
from benchmarks.report import table
from benchmarks.serving.figures import median
from benchmarks.serving.ours import ask, serving, start_ours
from benchmarks.serving.processes import cpu_seconds, pss_megabytes
from benchmarks.serving.setting import Setting, command_of
from benchmarks.serving.supplies import Supplies
from rejoinder.progress import track

WAYS = {
    "one process, 1 thread": ("--threads", "1"),
    "one process, 2 threads": ("--threads", "2"),
    "two workers, 1 thread each": ("--workers", "2", "--threads", "1"),
}
_RATE = 50.0


def measure(setting: Setting) -> Figures:
    """Start often, then measure what each way to serve takes."""
    starts = [start_once(setting) for _ in track(range(int(setting.pick(10, 2))), "start", "start")]
    return {
        "wall": [wall for wall, _ in starts],
        "cpu": [cpu for _, cpu in starts],
        "memory": {title: _memory(setting, options) for title, options in WAYS.items()},
    }


def start_once(setting: Setting) -> tuple[float, float]:
    """Seconds until a server is ready, and CPU-seconds."""
    with tempfile.TemporaryDirectory(prefix="rejoinder-serving-") as folder:
        begun = time.perf_counter()
        server = start_ours(setting, Path(folder))
        try:
            server.wait_ready()
            return time.perf_counter() - begun, cpu_seconds(server.pid)
        finally:
            server.end()


def _memory(setting: Setting, options: tuple[str, ...]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, serving(setting, *options) as server:
        time.sleep(1.0)  # until the other worker is up as well
        before = pss_megabytes(server.pid)
        supply = Supplies(setting, Path(folder)).of("", "talk")
        ask(server, supply, seconds=setting.pick(200, 50) / _RATE, rate=_RATE)
        return {"before": before, "after": pss_megabytes(server.pid)}


def report(figures: Figures) -> str:
    """Seconds, and megabytes by way."""
    wall = figures["wall"]
    spent = [
        ["wall", *(f"{value:.2f}" for value in (median(wall), min(wall), max(wall)))],
        ["CPU", *(f"{value:.2f}" for value in (median(figures["cpu"]), min(figures["cpu"]), max(figures["cpu"])))],
    ]
    taken = [
        [title, f"{found['before']:.0f}", f"{found['after']:.0f}"] for title, found in figures["memory"].items()
    ]
    return (
        f"{table(['seconds', 'median', 'least', 'most'], spent)}\n"
        f"{table(['PSS, MB', 'when ready', 'after 200 requests'], taken)}"
    )


PART = Part("start", "Start and memory", measure, report, __doc__ or "")
main = command_of(PART)

if __name__ == "__main__":
    main(prog_name="python -m benchmarks.serving.start")
