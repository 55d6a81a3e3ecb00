"""Endurance: minutes at 70% of capacity while releases are swapped, clients leave, and others send nonsense.

Lost: sent whole, and not answered, or with a fault of the server. Mixed: header, body, each chunk of a stream
and the trace do not name one release, or a vector is not that of its text. The releases are those of the store,
in a copy; the last swap leads back to the first of them, so that memory can be compared.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import click

from benchmarks.parts import Figures, Part
from benchmarks.report import publish, table
from benchmarks.serving.arrivals import poisson
from benchmarks.serving.bodies import Supply
from benchmarks.serving.drive import at_moments
from benchmarks.serving.mix import Mix, Sources
from benchmarks.serving.ours import ask, serving
from benchmarks.serving.processes import busy_seconds, cpu_seconds, pss_megabytes
from benchmarks.serving.server import Server
from benchmarks.serving.setting import Setting, page_head, setting_of, setting_options
from benchmarks.serving.supplies import Supplies
from benchmarks.serving.swaps import Swapper, copied, expected_vectors
from rejoinder.progress import track

MINUTES, SHARE, SWAPS = 10.0, 0.7, 5
_SETTLE_S = 5.0


def measure(setting: Setting, minutes: float = MINUTES) -> Figures:
    """Run for minutes, and count what went wrong."""
    seconds = setting.pick(60 * minutes, 24)
    with tempfile.TemporaryDirectory() as folder:
        mine = replace(setting, store=copied(setting.store, Path(folder) / "store"))
        sources = Sources(Supplies(mine, Path(folder)), Random(0))  # noqa: S311 (no secret)
        vectors = expected_vectors(mine, sources.texts)
        with serving(mine) as server:
            mix = Supply(Path(folder) / "mix", sources.bodies(2000))
            capacity = ask(server, mix, seconds=setting.pick(15, 4), clients=32).rate
            swapper = Swapper(mine.store, server, SWAPS)
            found = asyncio.run(
                _run(server, Mix(server.port, sources, vectors), swapper, SHARE * capacity, seconds)
            )
    return {"capacity": capacity, "swaps": swapper.told, **found}


async def _run(server: Server, mix: Mix, swapper: Swapper, rate: float, seconds: float) -> Figures:
    pss = [("at the start", *_memory(server))]
    start, cpu, busy, own = time.perf_counter(), cpu_seconds(server.pid), busy_seconds(), time.process_time()
    moments = poisson(rate, seconds)
    asking = asyncio.ensure_future(at_moments(moments, lambda planned: mix.one()))
    for number in track(range(swapper.count), "endurance", "swap"):
        await asyncio.sleep(max(0.0, start + (number + 1) * seconds / (swapper.count + 1) - time.perf_counter()))
        await asyncio.to_thread(swapper.swap)
        await asyncio.sleep(_SETTLE_S)
        pss.append((f"after swap {number + 1}, to {swapper.told[-1]['to']}", *_memory(server)))
    await asyncio.gather(*await asking)
    spent = {
        "seconds": time.perf_counter() - start,
        "cpu": cpu_seconds(server.pid) - cpu,
        "own": time.process_time() - own,
    }
    spent["others"] = busy_seconds() - busy - spent["cpu"] - spent["own"]
    await asyncio.sleep(_SETTLE_S)
    pss.append(("at the end", *_memory(server)))
    mix.close()
    counted = {"counts": dict(mix.counts), "late": server.late_answers(), "p95": mix.p95()}
    return {"rate": rate, "sent": len(moments), "pss": pss, **counted, **spent}


def _memory(server: Server) -> tuple[float, float]:
    return pss_megabytes(server.pid), pss_megabytes(server.pid, "Pss_Anon")


def growth(figures: Figures) -> float:
    """Megabytes that the server takes more at the end than at the start."""
    return float(figures["pss"][-1][1] - figures["pss"][0][1])


def report(figures: Figures) -> str:
    """What was counted, the memory, and the swaps."""
    counts = figures["counts"]
    rows = [[key, str(count)] for key, count in sorted(counts.items())]
    rows += [["**lost**", str(counts.get("lost", 0))], ["**mixed**", str(counts.get("mixed", 0))]]
    rows += [
        ["late: of what was ready in time", str(figures["late"])],
        ["ms of chats, 95 of 100", f"{figures['p95']:.0f}"],
        ["requests for a CPU-s", f"{figures['sent'] / figures['cpu']:.1f}"],
        ["cores: server", f"{figures['cpu'] / figures['seconds']:.2f}"],
        ["cores: generator", f"{figures['own'] / figures['seconds']:.2f}"],
        ["cores: others", f"{figures['others'] / figures['seconds']:.2f}"],
    ]
    memory = [[when, f"{all_of_it:.0f}", f"{anonymous:.0f}"] for when, all_of_it, anonymous in figures["pss"]]
    swaps = [[f"to {each['to']}", f"{each['seconds']:.2f}"] for each in figures["swaps"]]
    return (
        f"{figures['sent']:,} requests in {figures['seconds'] / 60:.1f} minutes, {figures['rate']:.1f} a second; "
        f"capacity of this mix: {figures['capacity']:.1f}.\n\n{table(['', ''], rows)}\n"
        f"{table(['PSS, MB', '', 'in no file'], memory)}\n{table(['swap', 'seconds until it answers'], swaps)}"
    )


PART = Part("endurance", "Endurance", measure, report, __doc__ or "")


@click.command(help=__doc__)
@click.option("--minutes", default=MINUTES, show_default=True, type=click.FloatRange(0.5, 120))
@setting_options
def main(*, minutes: float, store: Path | None, build: Path, quick: bool, out: Path | None) -> None:
    """Entry point."""
    setting = setting_of(store, build, quick=quick)
    figures = replace(PART, measure=lambda setting: measure(setting, minutes)).run(setting)
    publish(page_head("benchmarks.serving.endurance", setting) + PART.section(figures), out)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.serving.endurance")
