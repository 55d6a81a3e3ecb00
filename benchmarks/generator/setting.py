"""Setting: on what a part is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from benchmarks.report import out_option
from rejoinder.parts import GENERATOR, Kind
from rejoinder.store.store import Store

if TYPE_CHECKING:
    from rejoinder.parts.generator import Generator
    from rejoinder.parts.opened import OpenRelease

KEPT = Path("build/bench/generator")
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """On what a part is measured.

    Attributes:
        build: what `make repro` has built.
        bundle: the generator.
        store: holds the release whose other parts answer, encode and retrieve.
        base: Hugging Face folder of the model before tuning; None: its parts are left out.
        tuned: the same, tuned and merged.
        five: the same, after five steps.
        params: params.yaml.
        items: held-out replies whose likelihood is measured.
        lists: of a hundred replies each, that are ordered.
        contexts: that are answered by sampling.
        threads: of every model.
        is_quick: whether to show that it works rather than to measure.
    """

    build: Path
    bundle: Path
    store: Store
    base: Path | None = None
    tuned: Path | None = None
    five: Path | None = None
    params: Path = Path("params.yaml")
    items: int = 600
    lists: int = 60
    contexts: int = 300
    threads: int = 2
    is_quick: bool = False

    @property
    def pairs(self) -> Path:
        """Dialogues, by split."""
        return self.build / "dialogues" / "pairs.parquet"

    @property
    def folder(self) -> Path:
        """Where figures are kept."""
        return KEPT / "quick" if self.is_quick else KEPT

    @property
    def what(self) -> str:
        """The bundle, by the beginning of its digest."""
        from rejoinder.release.manifest import read_manifest

        return f"`{read_manifest(self.bundle).digest[:19]}`"

    @property
    def sources(self) -> list[str]:
        """Whose turns the model may learn."""
        found: list[str] = yaml.safe_load(self.params.read_text(encoding="utf-8"))[GENERATOR.name]["sources"]
        return found

    def pick(self, usual: int, quick: int) -> int:
        """A number, by how thorough it should be."""
        return min(usual, quick) if self.is_quick else usual

    def models(self) -> dict[str, Path]:
        """Folders of torch models, by what tables call them."""
        named = {TUNED: self.tuned, BASE: self.base, FIVE: self.five}
        return {name: folder for name, folder in named.items() if folder is not None}

    def generator(self, provider: str | None = None) -> Generator:
        """Open the generator by itself.

        Args:
            provider: what alone may run it.

        Returns:
            It.
        """
        from rejoinder.parts.generator import open_generator
        from rejoinder.release.manifest import read_manifest

        return open_generator(self.bundle, read_manifest(self.bundle), provider)

    def bundles(self) -> dict[Kind, Path]:
        """Those of the installed release, with this generator."""
        return {**self.store.current().bundles, GENERATOR.bundle: self.bundle}

    @contextmanager
    def release(self) -> Iterator[OpenRelease]:
        """The installed release with this generator, signed by nobody.

        Yields:
            It, open.
        """
        from stages.benchmark.unreleased import opened_unreleased

        with opened_unreleased(self.bundles()) as opened:
            yield opened


TUNED, BASE, FIVE = "tuned", "base", "after 5 steps"


def setting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of every part."""
    for option in (
        click.option("--build", type=_FOLDER, default="build", show_default=True, help="From `make repro`."),
        click.option("--bundle", type=_FOLDER, help="The generator; default: that of the build."),
        click.option("--store", type=_FOLDER, help="Holds the release; default: the usual one."),
        click.option("--base", type=_FOLDER, help="Untuned, a Hugging Face folder; default: that of the params."),
        click.option("--tuned", type=_FOLDER, help="Tuned and merged, likewise; default: trained anew."),
        click.option("--five", type=_FOLDER, help="After five steps, likewise; default: trained anew."),
        click.option("--params", type=_FILE, default="params.yaml", show_default=True),
        click.option("--items", default=600, show_default=True, help="Held-out replies."),
        click.option("--lists", default=60, show_default=True, help="Lists of a hundred replies."),
        click.option("--contexts", default=300, show_default=True, help="That are answered by sampling."),
        click.option("--quick", is_flag=True, help="A minute a part: to see that it works."),
        out_option,
    ):
        command = option(command)
    return command


def setting_of(*, build: Path, bundle: Path | None, store: Path | None, quick: bool, **more: Any) -> Setting:
    """What options say."""
    made = bundle or build / GENERATOR.name / GENERATOR.bundle
    where = Store(store.resolve()) if store else Store(Store.default().root.resolve())
    return Setting(build, made, where, is_quick=quick, **more)
