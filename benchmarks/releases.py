"""Releases: what proving, pulling, rolling back and opening the current release cost.

Everything is measured on the release that is installed, whose bundles are read and never changed; MLflow is a
temporary one. Machines are shared: rounds take turns, and the median stands.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.report import examples, heading, out_option, publish, table
from registry.keys import new_key, trust_key
from rejoinder.manifest import digest_file, read_manifest, write_manifest
from rejoinder.parts import REPLIES, Kind
from rejoinder.parts.replies import REPLIES_FILE
from rejoinder.progress import track
from rejoinder.proof import Installed, prove
from rejoinder.release import RELEASE, read_release
from rejoinder.store import Store, open_current
from rejoinder.trust import Trust
from stages.evaluation.speed import open_cost
from stages.evaluation.unreleased import sign_unreleased

MODULE = "benchmarks.releases"
PADDED_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds: by the clock, and of CPU, children included."""

    wall: float
    cpu: float


def measure(work: Callable[[], object]) -> Spent:
    """Time one call, with the processes that it starts."""
    before, start = _cpu(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - start, _cpu() - before)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def median(spent: Sequence[Spent]) -> Spent:
    """The median of each column."""
    return Spent(statistics.median(s.wall for s in spent), statistics.median(s.cpu for s in spent))


def padded(bundles: Mapping[Kind, Path], folder: Path, size: int = PADDED_BYTES) -> tuple[Installed, Trust]:
    """The installed release, its index grown to `size` bytes, signed with a key that is thrown away.

    Args:
        bundles: bundle directory by kind; read only.
        folder: an empty directory.
        size: bytes of all files together.

    Returns:
        The release and the trust folder that believes it.
    """
    copies = {kind: Path(shutil.copytree(path, folder / kind)) for kind, path in bundles.items()}
    held = sum(path.stat().st_size for copy in copies.values() for path in copy.iterdir())
    with (copies[REPLIES.bundle] / REPLIES_FILE).open("ab") as file:
        for _ in range(0, max(0, size - held), 1 << 20):
            file.write(os.urandom(1 << 20))
    old = read_manifest(copies[REPLIES.bundle])
    write_manifest(copies[REPLIES.bundle], old.kind, old.vectorizer_id, old.facts)
    release_folder, trust = sign_unreleased(copies, folder)
    release = read_release(release_folder / RELEASE, digest_file(release_folder / RELEASE))
    return Installed(release, release_folder, copies), Trust(trust)


def verify_rates(bundles: Mapping[Kind, Path], rounds: int) -> list[list[str]]:
    """Proving a 500 MB release against `sha256sum` on the same bytes, in turns."""
    with tempfile.TemporaryDirectory() as parent:
        installed, trust = padded(bundles, Path(parent))
        files = [str(path) for folder in installed.bundles.values() for path in folder.iterdir()]
        megabytes = sum(Path(file).stat().st_size for file in files) / 1e6
        ours, theirs = [], []
        for _ in track(range(rounds + 1), "verify 500 MB", "round"):
            theirs.append(measure(lambda: _run(["sha256sum", *files])))
            ours.append(measure(lambda: prove(installed, trust)))
    a, b = median(ours[1:]), median(theirs[1:])  # the first round warms the page cache
    rows = [["prove", f"{megabytes / a.wall:.0f}", f"{megabytes / a.cpu:.0f}"]]
    rows.append(["sha256sum", f"{megabytes / b.wall:.0f}", f"{megabytes / b.cpu:.0f}"])
    return [*rows, ["ratio", f"{b.wall / a.wall:.2f}", f"{b.cpu / a.cpu:.2f}"]]


def unchanged_pulls(store: Store, shop: Shop, rounds: int) -> list[list[str]]:
    """A second `rejoinder pull`, process start included: from a folder, and from a server over HTTP."""
    node = shop.node.root.with_name("unchanged")
    command = [str(Path(sys.executable).with_name("rejoinder")), "pull", "--store", str(node)]
    rows = []
    for title, words in (
        ("a folder", ["--from", str(store.root), "--name", store.current().release.name]),
        ("an MLflow server", ["--name", shop.name]),
    ):
        spent = []
        for _ in track(range(rounds + 1), f"pull from {title}", "pull"):
            spent.append(measure(lambda: _run([*command, *words])))  # noqa: B023 - called at once
        found = median(spent[1:])
        rows.append([title, f"{found.wall:.2f}", f"{found.cpu:.2f}"])
        shutil.rmtree(node)
    return rows


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)


def rollbacks(shop: Shop, rounds: int) -> list[list[str]]:
    """From `rollback` to the new answer: a new signed release, pulled, proved, swapped in under a holder."""
    from registry.promote import rollback
    from registry.pull import pull
    from rejoinder.dialogue import Dialogue
    from rejoinder.holder import Holder

    pull(shop.node, shop.name)
    holder = Holder(open_current(shop.node))
    steps: dict[str, list[Spent]] = {"rollback": [], "pull": [], "swap": [], "answer": [], "all": []}
    for _ in track(range(rounds + 1), "roll back", "round"):
        total = measure(lambda: None)
        for name, work in (
            ("rollback", lambda: rollback(shop.name)),
            ("pull", lambda: pull(shop.node, shop.name)),
            ("swap", lambda: holder.swap(shop.node.current())),
            ("answer", lambda: holder.answer(Dialogue.from_lines(["how are you?"]))),
        ):
            steps[name].append(spent := measure(work))
            total = Spent(total.wall + spent.wall, total.cpu + spent.cpu)
        steps["all"].append(total)
    found = {name: median(spent[1:]) for name, spent in steps.items()}
    return [[name, f"{spent.wall:.2f}", f"{spent.cpu:.2f}"] for name, spent in found.items()]


@dataclass(frozen=True, slots=True)
class Shop:
    """An MLflow that holds two releases, and a node that pulls from it."""

    name: str
    node: Store


@contextmanager
def server_shop(bundles: Mapping[Kind, Path], folder: Path) -> Iterator[Shop]:
    """Run a server with PostgreSQL and accounts, and ship two releases to it.

    Args:
        bundles: bundle directory by kind; read only.
        folder: an empty directory.

    Yields:
        The shop; this process is its publisher.
    """
    from registry.server import running_server

    with (
        running_server(folder / "server", log=folder / "server.log") as server,
        _shop(bundles, folder, server.environment("publisher")) as shop,
    ):
        yield shop


@contextmanager
def local_shop(bundles: Mapping[Kind, Path], folder: Path) -> Iterator[Shop]:
    """Ship two releases to a local database.

    Args:
        bundles: bundle directory by kind; read only.
        folder: an empty directory.

    Yields:
        The shop; this process is its publisher.
    """
    with _shop(bundles, folder, {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}) as shop:
        yield shop


@contextmanager
def _shop(bundles: Mapping[Kind, Path], folder: Path, mlflow: Mapping[str, str]) -> Iterator[Shop]:
    environment = dict(os.environ)
    shutil.copytree(Trust.default().root, folder / "trust")
    os.environ.update(mlflow)
    os.environ["REJOINDER_TRUST"] = str(folder / "trust")
    pair = new_key("bench", folder / "keys")
    os.environ["REJOINDER_SIGNING_KEY"] = str(trust_key(pair.public, Trust(folder / "trust")) and pair.private)
    try:
        _ship_two(bundles, folder)
        yield Shop("bench", Store(folder / "node"))
    finally:
        os.environ.clear()
        os.environ.update(environment)


def _ship_two(bundles: Mapping[Kind, Path], folder: Path) -> None:
    """The installed bundles, then the same with an index that considers one candidate fewer."""
    from registry.promote import promote
    from registry.publish import publish as register

    changed = shutil.copytree(bundles[REPLIES.bundle], folder / "changed")
    old = read_manifest(changed)
    facts = {**old.facts, "candidates": old.facts["candidates"] - 1}
    write_manifest(changed, old.kind, old.vectorizer_id, facts)
    champion = None
    for number, parts in enumerate((bundles, {**bundles, REPLIES.bundle: changed})):
        verdict = folder / f"verdict-{number}.json"
        digests = {kind: read_manifest(path).digest for kind, path in parts.items()}
        verdict.write_text(json.dumps({"verdict": "BLESSED", "bundles": digests, "champion": champion}))
        release = register(parts, verdict, "bench").release
        promote("bench", release.serial)
        champion = release.digest


def openings(bundles: Mapping[Kind, Path], rounds: int) -> list[list[str]]:
    """Proving, loading and probing in a fresh process, and what memory it takes."""
    found = [open_cost(bundles) for _ in track(range(rounds), "open", "round")]
    keys = ("open_wall_s", "open_cpu_s", "cache_and_index_mb", "imports_mb", "peak_mb")
    return [[key, f"{statistics.median(cost[key] for cost in found):.2f}"] for key in keys]


@click.command(help=__doc__, epilog=examples(MODULE, "", "--rounds 9 --out build/bench/releases.md"))
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Of each measurement.")
@out_option
def main(rounds: int, out: Path | None) -> None:
    """Entry point."""
    store = Store.default()
    bundles = store.current().bundles
    text = heading("What releases cost", MODULE, ("mlflow", "model-signing", "onnxruntime", "faiss-cpu"))
    text += f"- release: {store.current().release}\n"
    text += _section("Verify 500 MB", ("", "MB/s", "MB per CPU-s"), verify_rates(bundles, rounds))
    for title, place in (("a server with accounts", server_shop), ("a local database", local_shop)):
        with tempfile.TemporaryDirectory() as folder, place(bundles, Path(folder)) as shop:
            if place is server_shop:
                rows = unchanged_pulls(store, shop, rounds)
                text += _section("Pull what is installed already", ("from", "wall s", "CPU-s"), rows)
            rows = rollbacks(shop, rounds)
            head = ("step", "wall s", "CPU-s")
            text += _section(f"From rollback to the new answer, with {title}", head, rows)
    text += _section("Open", ("", "median"), openings(bundles, rounds))
    publish(text + "\n" + __doc__.split("\n\n")[1] + "\n", out)


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"\n## {title}\n\n{table(head, rows)}"


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
