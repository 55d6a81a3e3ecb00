"""Parts of a benchmark: each measured by itself, its figures kept and shown; and the goals for them."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import click

from benchmarks.report import heading, table

Figures = dict[str, Any]
#: What was measured, and whether it is enough; None where the part has left it out.
Judged = tuple[str, bool] | None


class Measured(Protocol):
    """What a part is measured on."""

    @property
    def folder(self) -> Path:
        """Where figures are kept."""

    @property
    def what(self) -> str:
        """Name of the release or bundle, kept with the figures."""


S = TypeVar("S", bound=Measured)


@dataclass(frozen=True, slots=True)
class Part(Generic[S]):
    """Something that is measured by itself.

    Attributes:
        name: of its module.
        title: of its section.
        measure: gives figures that JSON can hold.
        report: shows them: Markdown below the title.
        doc: the docstring of its module.
    """

    name: str
    title: str
    measure: Callable[[S], Figures]
    report: Callable[[Figures], str]
    doc: str

    def run(self, setting: S) -> Figures:
        """Measure, and keep the figures with the machine's load before and after."""
        setting.folder.mkdir(parents=True, exist_ok=True)
        begun, load = time.monotonic(), os.getloadavg()[0]
        figures = self.measure(setting)
        of_every_part = {
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "of": setting.what,
            "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        }
        if taken := sorted(figures.keys() & of_every_part.keys()):
            raise ValueError(f"{self.name}: every part has {', '.join(taken)}; figures need names of their own")
        figures |= of_every_part
        self._file(setting).write_text(json.dumps(figures, indent=1) + "\n")
        click.echo(f"{self.name}: {time.monotonic() - begun:.0f} s", err=True)
        return figures

    def kept(self, setting: S) -> Figures | None:
        """Figures of an earlier run; None if there are none, or they do not say of what."""
        file = self._file(setting)
        figures: Figures = json.loads(file.read_text()) if file.exists() else {}
        return figures if "of" in figures else None

    def section(self, figures: Figures) -> str:
        """Markdown of figures."""
        said = " ".join(self.doc.split("\n\n", 1)[1].split("\n")) if "\n\n" in self.doc else ""
        load = " to ".join(f"{value:.1f}" for value in figures["load"])
        when = f"({figures['date']}, {figures['of']}, load {load}.)"
        return f"\n## {self.title}\n\n{said.strip()} {when}\n\n{self.report(figures)}"

    def _file(self, setting: S) -> Path:
        return setting.folder / f"{self.name}.json"


def part_options(parts: Iterable[Part[Any]]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options that choose among parts: `only`, `resume` and `only_page`."""
    names = click.Choice([part.name for part in parts])
    options = (
        click.option("--only", multiple=True, type=names, help="Measure these alone."),
        click.option("--resume", is_flag=True, help="Measure what no figures are kept of."),
        click.option("--only-page", is_flag=True, help="Measure nothing: write the page of what is kept."),
    )

    def added(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return added


def due(
    parts: Sequence[Part[S]], setting: S, *, only: Sequence[str], resume: bool, only_page: bool
) -> list[Part[S]]:
    """Which parts the options ask to be measured."""
    if only_page:
        return []
    if only:
        return [part for part in parts if part.name in only]
    return [part for part in parts if not (resume and part.kept(setting))]


def figures_of(parts: Iterable[Part[S]], setting: S) -> dict[str, Figures]:
    """Figures that are kept, by part."""
    found = {part.name: part.kept(setting) for part in parts}
    return {name: figures for name, figures in found.items() if figures is not None}


def sections(parts: Iterable[Part[Any]], found: Mapping[str, Figures]) -> str:
    """Markdown of every part that was measured."""
    return "".join(part.section(found[part.name]) for part in parts if part.name in found)


def head(title: str, module: str, packages: Sequence[str], *, is_quick: bool) -> str:
    """The head of a page, without the folders of this machine."""
    told = re.sub(r"(?<=[ =])/\S*/(?=[^/\s])", "", heading(title, module, packages))
    return told + "- quick: to show that it works, not to measure\n" * is_quick


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal.

    Attributes:
        what: is measured.
        goal: as it was set.
        part: whose figures tell.
        judge: says what was measured, and whether it is enough.
    """

    what: str
    goal: str
    part: str
    judge: Callable[[Figures], Judged]


def goals_table(goals: Iterable[Goal], found: Mapping[str, Figures]) -> str:
    """Show every goal with what was measured.

    Args:
        goals: to show.
        found: figures by part; goals of parts that are not there are shown as not measured.

    Returns:
        Markdown.
    """
    rows = []
    for goal in goals:
        judged = goal.judge(found[goal.part]) if goal.part in found else None
        told, is_met = judged or ("", None)
        met = "not measured" if is_met is None else "yes" if is_met else "**no**"
        rows.append([goal.what, goal.goal, told, met])
    return table(["what", "goal", "measured", "met"], rows)
