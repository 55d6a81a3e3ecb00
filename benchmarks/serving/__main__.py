"""Serving: every part in turn, and the goals. Figures of each part are kept, so that one can be measured alone."""

from __future__ import annotations

import time
from pathlib import Path

import click

from benchmarks.report import examples, publish
from benchmarks.serving import batching, embeddings_vs, endurance, kills, latency, start
from benchmarks.serving.goals import goals_table
from benchmarks.serving.setting import Figures, Part, Setting, head, setting_of, setting_options

MODULE = "benchmarks.serving"
PARTS = tuple(module.PART for module in (start, batching, latency, embeddings_vs, kills, endurance))
PAGE = Path("docs/measured/serve.md")


def page(setting: Setting, found: dict[str, Figures]) -> str:
    """The goals, then each part that was measured."""
    sections = "".join(part.section(found[part.name]) for part in PARTS if part.name in found)
    return f"{head(MODULE, setting)}\n## Goals\n\n{goals_table(found)}{sections}"


def _figures(part: Part, setting: Setting) -> Figures:
    begun = time.monotonic()
    figures = part.run(setting)
    click.echo(f"{part.name}: {time.monotonic() - begun:.0f} s", err=True)
    return figures


@click.command(
    help=__doc__,
    epilog=examples(MODULE, "", "--quick", "--only latency --only start", "--resume", "--only-page"),
)
@click.option(
    "--only", multiple=True, type=click.Choice([part.name for part in PARTS]), help="Measure these alone."
)
@click.option("--resume", is_flag=True, help="Measure what no figures are kept of.")
@click.option("--only-page", is_flag=True, help="Measure nothing: write the page of what is kept.")
@setting_options
def main(
    *,
    only: tuple[str, ...],
    resume: bool,
    only_page: bool,
    store: Path | None,
    build: Path,
    quick: bool,
    out: Path | None,
) -> None:
    """Entry point."""
    setting = setting_of(store, build, quick=quick)
    found: dict[str, Figures] = {}
    for part in PARTS:
        kept = part.kept(setting)
        is_due = not only_page and (part.name in only if only else not (resume and kept))
        figures = _figures(part, setting) if is_due else kept
        if figures is not None:
            found[part.name] = figures
    publish(page(setting, found), out or (setting.folder / "serve.md" if quick else PAGE))


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
