"""Scene: two releases, a folder to pull them from, serving nodes, and processes apart from this one."""

from __future__ import annotations

import functools
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from registry.pull.install import incoming
from registry.pull.pull import pull
from registry.pull.sources.folder import FolderSource
from rejoinder.errors import RejoinderError
from rejoinder.parts import Kind
from rejoinder.release.document import Release
from rejoinder.release.proof import Installed, prove
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests.bundles import KEY, build_whole, pin, put_in_store

#: What processes need; imported once, before the first of them is forked.
_PRELOAD = (
    "registry.publish.register",
    "registry.publish.promote",
    "registry.pull.pull",
    "registry.pull.sources.client",
    "model_signing.signing",
    "model_signing.verifying",
    "cyclonedx.contrib.license.factories",
    "cyclonedx.output.json",
    "filelock",
    "onnxruntime",
    "rich.progress",
    "faiss",
    "mlflow.artifacts",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "faults.crashes",
    "faults.disks",
    "tests.registry.artifacts",
    "faults.concurrency",
)
_STORE = frozenset({"bundles", "releases", "current", "previous", "lock"})
#: Breaks the product in a process apart: what a test of a fault does to see that the fault is found.
Sabotage = Callable[[], None]


def nothing() -> None:
    """No sabotage."""


@dataclass(frozen=True)
class Node:
    """A machine that serves: its store and whom it believes."""

    root: Path

    @property
    def store(self) -> Store:
        """Its store."""
        return Store(self.root / "store")

    @property
    def trust(self) -> Trust:
        """Its trust folder."""
        return Trust(self.root / "trust")

    def serves(self, *releases: Release) -> bool:
        """Whether `current` is one of these releases, signed, complete, and consistent."""
        try:
            installed = self.store.current()
            prove(installed, self.trust)
        except (RejoinderError, OSError):
            return False
        return installed.release in releases

    def _names(self) -> set[str]:
        return {path.name for path in self.store.root.iterdir()}

    def is_tidy(self) -> bool:
        """Whether nothing is left of an interrupted pull."""
        parts = list(self.trust.root.glob("*.part")) + list(self.trust.root.glob(".*.part"))
        return not parts and not incoming(self.store).exists() and self._names() <= _STORE


@dataclass(frozen=True)
class Scene:
    """Two releases of different models: `old` is what nodes serve, `new` what a source offers.

    Attributes:
        root: of everything.
        old: the older release.
        new: the newer one.
        source: a store that holds both and offers the newer.
        before: a store that holds both and offers the older.
    """

    root: Path
    old: Release
    new: Release
    source: Path
    before: Path

    def node(self, name: str = "node") -> Node:
        """A machine that serves the old release; one of that name is replaced."""
        return Node(fresh_copy(self.root / "template", self.root / name))

    def bundles(self, release: Release) -> dict[Kind, Path]:
        """Directories of a release's bundles; not to be changed."""
        return {kind: Store(self.source).bundle_dir(digest) for kind, digest in release.bundles.items()}


def two_releases(root: Path) -> Scene:
    """Set the scene.

    Args:
        root: made if missing.

    Returns:
        The scene.
    """
    built = _built()
    shutil.copytree(built, root, dirs_exist_ok=True)
    source, before = Store(root / "source"), Store(root / "before")
    new, old = source.current().release, before.current().release
    return Scene(root, old, new, source.root, before.root)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="scene-")


@functools.cache
def _built() -> Path:
    """The scene, built once a process."""
    folder = Path(_folder().name)
    releases = two_pinned(folder / "work")
    node = Node(folder / "scene/template")
    node.trust.root.mkdir(parents=True)
    shutil.copy(KEY.with_suffix(".pub"), node.trust.root)
    source = Store(folder / "scene/source")
    put_in_store(source, releases[0])
    pull(node.store, source=FolderSource(source.root), trust=node.trust)
    put_in_store(source, releases[1])
    before = Store(shutil.copytree(source.root, folder / "scene/before"))
    before.current_file.write_text(releases[0].release.digest + "\n")
    return folder / "scene"


def two_pinned(root: Path) -> Sequence[Installed]:
    """Two releases of different models, serials 1 and 2, as folders."""
    return [pin(build_whole(root / name, seed=seed), serial=seed + 1) for seed, name in enumerate("ab")]


def fresh_copy(template: Path, place: Path) -> Path:
    """Put a copy of a folder at a place, whatever was there."""
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(template, place))


@functools.cache
def processes() -> ForkServerContext:
    """Makes processes by forking one that has imported everything and has no threads of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOAD))
    return context


def apart(target: Callable[..., Any], *args: Any) -> int:
    """Run a function in a process of its own.

    Args:
        target: a function of a module.
        *args: its arguments.

    Returns:
        The exit code; minus the signal's number if it was killed.
    """
    process = processes().Process(target=target, args=args)
    process.start()
    process.join()
    return process.exitcode or 0


def evenly(total: int, tries: int) -> list[int]:
    """At most `tries` of the numbers from 1 to `total`, the first and the last among them."""
    if tries >= total:
        return list(range(1, total + 1))
    return sorted({1 + round(n * (total - 1) / max(tries - 1, 1)) for n in range(tries)})
