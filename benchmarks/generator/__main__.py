"""Generator: every part in turn, and the goals. Figures of each part are kept, so that one can be measured alone.

The model before tuning, tuned and after five steps are trained anew by the build's recipe where no folder is
named. `judgement` is a command of its own, since people read it: python -m benchmarks.generator.judgement
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmarks.generator import conversations, diversity, human, likelihood, memory, perplexity, speed, threshold
from benchmarks.generator.goals import GOALS
from benchmarks.generator.models import with_models
from benchmarks.generator.setting import Setting, setting_of, setting_options
from benchmarks.parts import Figures, due, figures_of, goals_table, head, part_options, sections
from benchmarks.report import examples, publish

MODULE = "benchmarks.generator"
_MODULES = (perplexity, diversity, human, likelihood, speed, threshold, memory, conversations)
PARTS = tuple(module.PART for module in _MODULES)
PAGE = "generator.md"
#: Parts that need no model of torch.
_WITHOUT = (threshold.PART, memory.PART, conversations.PART)
_PACKAGES = ("torch", "transformers", "onnxruntime", "openvino", "scikit-learn")


def page(setting: Setting, found: dict[str, Figures]) -> str:
    """The goals, then each part that was measured."""
    told = head("Generator", MODULE, _PACKAGES, is_quick=setting.is_quick)
    return f"{told}- bundle: {setting.what}\n\n## Goals\n\n{goals_table(GOALS, found)}{sections(PARTS, found)}"


@click.command(
    help=__doc__,
    epilog=examples(MODULE, "", "--quick", "--only perplexity --only speed", "--resume", "--only-page"),
)
@part_options(PARTS)
@setting_options
def main(*, only: tuple[str, ...], resume: bool, only_page: bool, out: Path | None, **options: Any) -> None:
    """Entry point."""
    setting = setting_of(**options)
    wanted = due(PARTS, setting, only=only, resume=resume, only_page=only_page)
    if any(part not in _WITHOUT for part in wanted):
        setting = with_models(setting)
    for part in wanted:
        part.run(setting)
    publish(page(setting, figures_of(PARTS, setting)), out or setting.folder / PAGE)


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
