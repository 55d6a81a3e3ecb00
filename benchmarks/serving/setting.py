"""Setting: on what a part is measured, and how one is run, kept and shown."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks.report import examples, heading, out_option, publish
from rejoinder.store.store import Store

KEPT = Path("build/bench/serving")
PACKAGES = ("uvicorn", "starlette", "onnxruntime")
Figures = dict[str, Any]
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """On what a part is measured.

    Attributes:
        store: of the release that serves; only read.
        build: what `make repro` has built: dialogues, and the encoder in torch.
        is_quick: whether to show that it works rather than to measure.
    """

    store: Store
    build: Path
    is_quick: bool = False

    @property
    def pairs(self) -> Path:
        """Dialogues, by split."""
        return self.build / "dialogues" / "pairs.parquet"

    def pick(self, usual: float, quick: float) -> float:
        """A duration or a number, by how thorough it should be."""
        return quick if self.is_quick else usual

    @property
    def folder(self) -> Path:
        """Where figures are kept."""
        return KEPT / "quick" if self.is_quick else KEPT


@dataclass(frozen=True, slots=True)
class Part:
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
    measure: Callable[[Setting], Figures]
    report: Callable[[Figures], str]
    doc: str

    def run(self, setting: Setting) -> Figures:
        """Measure, and keep the figures."""
        figures = self.measure(setting)
        figures["date"] = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        figures["release"] = str(setting.store.current().release)
        setting.folder.mkdir(parents=True, exist_ok=True)
        self._file(setting).write_text(json.dumps(figures, indent=1) + "\n")
        return figures

    def kept(self, setting: Setting) -> Figures | None:
        """Figures of an earlier run; None if there are none."""
        file = self._file(setting)
        return json.loads(file.read_text()) if file.exists() else None

    def section(self, figures: Figures) -> str:
        """Markdown of figures."""
        said = " ".join(self.doc.split("\n\n", 1)[1].split("\n")) if "\n\n" in self.doc else ""
        return f"\n## {self.title}\n\n{said.strip()} ({figures['date']}.)\n\n{self.report(figures)}"

    def _file(self, setting: Setting) -> Path:
        return setting.folder / f"{self.name}.json"


def head(module: str, setting: Setting, packages: Sequence[str] = PACKAGES) -> str:
    """The head of a page: command, machine, versions, release."""
    release = setting.store.current().release
    quick = "- quick: to show that it works, not to measure\n" if setting.is_quick else ""
    told = without_places(heading("Serving", module, packages))
    return f"{told}- kernel: {platform.release()}\n- release: {release}\n{quick}"


def without_places(text: str) -> str:
    """A text without the folders of this machine."""
    return re.sub(r"(?<=[ =])/\S*/(?=[^/\s])", "", text)


def setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of every part."""
    for option in (
        click.option("--store", type=_FOLDER, help="Holds the release; default: the usual one."),
        click.option("--build", type=_FOLDER, default="build", show_default=True, help="From `make repro`."),
        click.option("--quick", is_flag=True, help="Seconds instead of minutes: to see that it works."),
        out_option,
    ):
        command = option(command)
    return command


def setting_of(store: Path | None, build: Path, *, quick: bool) -> Setting:
    """What options say."""
    return Setting(Store(store.resolve()) if store else Store(Store.default().root.resolve()), build, quick)


def command_of(part: Part) -> click.Command:
    """The command that measures one part."""
    module = f"benchmarks.serving.{part.name}"

    @click.command(help=part.doc, epilog=examples(module, "--quick", f"--out build/bench/{part.name}.md"))
    @setting_options
    def main(store: Path | None, build: Path, quick: bool, out: Path | None) -> None:
        setting = setting_of(store, build, quick=quick)
        publish(head(module, setting) + part.section(part.run(setting)), out)

    return main
