"""Generator: every part in turn, and the goals. Figures of each part are kept, so that one can be measured alone.

The model before tuning, tuned and after five steps are trained anew by the build's recipe where no folder is
named. `judgement` is a command of its own, since people read it: python -m benchmarks.generator.judgement
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from benchmarks.generator import conversations, diversity, human, likelihood, memory, perplexity, speed
from benchmarks.generator.goals import goals_table
from benchmarks.generator.models import with_models
from benchmarks.generator.setting import Figures, Part, Setting, setting_of, setting_options
from benchmarks.report import examples, heading, publish
from benchmarks.serving.setting import without_places
from rejoinder.release.manifest import read_manifest

MODULE = "benchmarks.generator"
PARTS = tuple(module.PART for module in (perplexity, diversity, human, likelihood, speed, memory, conversations))
PAGE = "generator.md"
_PACKAGES = ("torch", "transformers", "onnxruntime", "openvino", "scikit-learn")


def page(setting: Setting, found: dict[str, Figures]) -> str:
    """The goals, then each part that was measured."""
    quick = "- quick: to show that it works, not to measure\n" if setting.is_quick else ""
    told = without_places(heading("Generator", MODULE, _PACKAGES))
    bundle = f"- bundle: `{read_manifest(setting.bundle).digest[:19]}`\n"
    sections = "".join(part.section(found[part.name]) for part in PARTS if part.name in found)
    return f"{told}{bundle}{quick}\n## Goals\n\n{goals_table(found)}{sections}"


def _figures(part: Part, setting: Setting) -> Figures:
    begun = time.monotonic()
    figures = part.run(setting)
    click.echo(f"{part.name}: {time.monotonic() - begun:.0f} s", err=True)
    return figures


@click.command(
    help=__doc__,
    epilog=examples(MODULE, "", "--quick", "--only perplexity --only speed", "--resume", "--only-page"),
)
@click.option(
    "--only", multiple=True, type=click.Choice([part.name for part in PARTS]), help="Measure these alone."
)
@click.option("--resume", is_flag=True, help="Measure what no figures are kept of.")
@click.option("--only-page", is_flag=True, help="Measure nothing: write the page of what is kept.")
@setting_options
def main(*, only: tuple[str, ...], resume: bool, only_page: bool, out: Path | None, **options: Any) -> None:
    """Entry point."""
    setting = setting_of(**options)
    kept = {part.name: part.kept(setting) for part in PARTS}
    due = [] if only_page else [p for p in PARTS if (p.name in only if only else not (resume and kept[p.name]))]
    if any(part.name not in _WITHOUT for part in due):
        setting = with_models(setting)
    found = {name: figures for name, figures in kept.items() if figures is not None}
    for part in due:
        found[part.name] = _figures(part, setting)
    setting.folder.mkdir(parents=True, exist_ok=True)
    publish(page(setting, found), out or setting.folder / PAGE)


#: Parts that need no model of torch.
_WITHOUT = ("memory", "conversations")

if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
