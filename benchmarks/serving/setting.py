"""Setting: on what a part is measured, and the command that measures one."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.parts import Part, head
from benchmarks.report import examples, out_option, publish
from rejoinder.store.store import Store

KEPT = Path("build/bench/serving")
PACKAGES = ("uvicorn", "starlette", "onnxruntime")
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

    @property
    def what(self) -> str:
        """The release that serves."""
        return str(self.store.current().release)


def page_head(module: str, setting: Setting) -> str:
    """The head of a page: command, machine, versions, release."""
    told = head("Serving", module, PACKAGES, is_quick=setting.is_quick)
    return f"{told}- kernel: {platform.release()}\n- release: {setting.what}\n"


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


def command_of(part: Part[Setting]) -> click.Command:
    """The command that measures one part."""
    module = f"benchmarks.serving.{part.name}"

    @click.command(help=part.doc, epilog=examples(module, "--quick", f"--out build/bench/{part.name}.md"))
    @setting_options
    def main(store: Path | None, build: Path, quick: bool, out: Path | None) -> None:
        setting = setting_of(store, build, quick=quick)
        publish(page_head(module, setting) + part.section(part.run(setting)), out)

    return main
