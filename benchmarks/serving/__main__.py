"""Serving: every part in turn, and the goals. Figures of each part are kept, so that one can be measured alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmarks.parts import Figures, due, figures_of, goals_table, part_options, sections
from benchmarks.report import examples, publish
from benchmarks.serving import batching, embeddings_vs, endurance, kills, latency, start
from benchmarks.serving.goals import GOALS
from benchmarks.serving.setting import Setting, page_head, setting_of, setting_options

MODULE = "benchmarks.serving"
PARTS = tuple(module.PART for module in (start, batching, latency, embeddings_vs, kills, endurance))
PAGE = Path("docs/measured/serve.md")


def page(setting: Setting, found: dict[str, Figures]) -> str:
    """The goals, then each part that was measured."""
    return f"{page_head(MODULE, setting)}\n## Goals\n\n{goals_table(GOALS, found)}{sections(PARTS, found)}"


@click.command(
    help=__doc__,
    epilog=examples(MODULE, "", "--quick", "--only latency --only start", "--resume", "--only-page"),
)
@part_options(PARTS)
@setting_options
def main(store: Path | None, build: Path, *, quick: bool, out: Path | None, **which: Any) -> None:
    """Entry point."""
    setting = setting_of(store, build, quick=quick)
    for part in due(PARTS, setting, **which):
        part.run(setting)
    publish(page(setting, figures_of(PARTS, setting)), out or (setting.folder / "serve.md" if quick else PAGE))


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
