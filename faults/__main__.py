"""`make faults`: run every fault, print the table (fault, tries, survived, note), and fail if anything was lost."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module, util
from pathlib import Path

import click

from benchmarks.report import heading
from faults.one import run_one
from faults.outcome import Outcome
from rejoinder.progress import track
from tests.bundles import KEY

#: In the order of the table.
MODULES = (
    "flips",
    "mutants",
    "swaps_of_parts",
    "forms",
    "generators",
    "code",
    "crashes",
    "disks",
    "network",
    "freshness",
    "signatures",
    "concurrency",
    "swaps",
    "machine",
)
#: Modules without a `FAULTS` of their own.
_NAMED = {"swaps": ("hundred_swaps",)}


@click.command(
    epilog="\b\nExamples:\n  python -m faults\n  python -m faults --only flips --only hundred_swaps\n"
    "  python -m faults --out docs/measured/faults.md"
)
@click.option("--only", multiple=True, metavar="NAME", help="A module or one fault of it; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the table to this file, as Markdown.")
@click.option("--list", "listing", is_flag=True, help="Only list what there is.")
def main(only: tuple[str, ...], out: Path | None, listing: bool) -> None:
    """Do to a release what must not harm it, and count what it survived; exit code 1 if anything was lost."""
    faults = chosen(only)
    if listing:
        click.echo("\n".join(f"{module}.{name}" for module, name in faults))
        return
    started = time.monotonic()
    outcomes = run_all(faults)
    minutes = (time.monotonic() - started) / 60
    _show(outcomes)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(markdown(outcomes, minutes), encoding="utf-8")
    lost = [outcome for outcome in outcomes if not is_survived(outcome)]
    click.echo(f"{len(outcomes) - len(lost)} of {len(outcomes)} faults survived in {minutes:.1f} minutes")
    sys.exit(1 if lost else 0)


def is_survived(outcome: Outcome) -> bool:
    """Whether nothing was lost; a fault that was never tried has survived nothing."""
    return outcome.tries > 0 and outcome.survived == outcome.tries


def chosen(only: Sequence[str]) -> list[tuple[str, str]]:
    """Module and function of each fault that is wanted, in the order of the table.

    Args:
        only: names of modules or faults; empty for all.

    Returns:
        The faults.

    Raises:
        click.ClickException: if a module is missing, or a name stands for nothing.
    """
    missing = [module for module in MODULES if not _names(module)]
    if wanted := [module for module in missing if not only or module in only]:
        files = ", ".join(f"faults/{module}.py" for module in wanted)
        raise click.ClickException(
            f"no faults in {files}: expected the file, with FAULTS in it; nothing was run. "
            "Next: bring it back, or name others with --only"
        )
    found = [(module, name) for module in MODULES if module not in missing for name in _names(module)]
    known = {*MODULES, *(name for _, name in found)}
    if unknown := sorted(set(only) - known):
        raise click.ClickException(f"--only {', '.join(unknown)}: no such fault. Next: python -m faults --list")
    return [(module, name) for module, name in found if not only or module in only or name in only]


def _names(module: str) -> tuple[str, ...]:
    if module in _NAMED:
        return _NAMED[module]
    if util.find_spec(f"faults.{module}") is None:
        return ()
    return tuple(fault.__name__ for fault in getattr(import_module(f"faults.{module}"), "FAULTS", ()))


def run_all(faults: Sequence[tuple[str, str]]) -> list[Outcome]:
    """Run faults one after another, each in a process of its own: threads, memory and crashes stay its own.

    Args:
        faults: module and function of each.

    Returns:
        What became of each; one that could not be finished is lost.
    """
    outcomes = []
    with _surroundings():
        for module, name in track(faults, "faults", "fault"):
            outcomes.append(_in_own_process(module, name))
            click.echo(_line(outcomes[-1]), err=True)
    return outcomes


def _in_own_process(module: str, name: str) -> Outcome:
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(run_one, module, name).result()
    except Exception as error:
        return Outcome(name.replace("_", " "), 1, 0, f"stopped: {type(error).__name__}: {str(error)[:200]}")


@contextmanager
def _surroundings() -> Iterator[None]:
    """What pytest's fixtures set: a trust folder that believes the tests' key, and no registry of the user's."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        trust = Path(folder) / "trust"
        trust.mkdir()
        shutil.copy(KEY.with_suffix(".pub"), trust)
        ours = {
            "REJOINDER_TRUST": str(trust),
            "REJOINDER_SIGNING_KEY": str(KEY),
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        }
        before = {key: os.environ.get(key) for key in ours}
        os.environ.update(ours)
        try:
            yield
        finally:
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.update({key: value})


def _line(outcome: Outcome) -> str:
    return f"{outcome.survived} of {outcome.tries}: {outcome.fault}"


def _show(outcomes: Sequence[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("fault")
    for column in ("tries", "survived"):
        table.add_column(column, justify="right")
    table.add_column("note", overflow="fold")
    for o in outcomes:
        style = "" if is_survived(o) else "bold red"
        table.add_row(Text(o.fault), f"{o.tries:,}", Text(f"{o.survived:,}", style), Text(o.note))
    console = Console()
    console.print(table, width=None if console.is_terminal else 160, highlight=False)


def markdown(outcomes: Sequence[Outcome], minutes: float) -> str:
    """The table as a page of docs/measured.

    Args:
        outcomes: the rows.
        minutes: that it took.

    Returns:
        Markdown.
    """
    rows = [["fault", "tries", "survived", "note"], ["---", "---:", "---:", "---"]]
    rows += [[o.fault, f"{o.tries:,}", f"{o.survived:,}", o.note] for o in outcomes]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lost = sum(not is_survived(o) for o in outcomes)
    kept = f"{len(outcomes) - lost} of {len(outcomes)} faults survived, in {minutes:.1f} minutes."
    head = heading("Faults", "faults", ("mlflow-skinny", "model-signing", "onnxruntime", "faiss-cpu"))
    return "\n".join([head, _WHAT, "", *lines, "", kept, ""])


_WHAT = "What was done to releases and to what handles them, how often, and how often the promise held."


if __name__ == "__main__":
    main(prog_name="python -m faults")
