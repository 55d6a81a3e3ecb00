"""Crashes: killed at every step of an install and of a release."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from faults.outcome import Outcome
from faults.scene import Node, Sabotage, Scene, apart, evenly, fresh_copy, nothing, two_releases
from faults.steps import EVERY, Steps, completes, count_steps, install
from registry.mlflow.catalog import fetch_folder, fetch_manifest, read_catalog
from registry.mlflow.connection import connect
from registry.publish.promote import promote
from registry.publish.register import publish
from registry.pull.pull import pull
from registry.pull.sources.client import ClientSource
from registry.pull.sources.folder import FolderSource
from rejoinder.errors import BundleError
from rejoinder.parts import Kind
from rejoinder.release.document import VERDICT
from tests.bundles import KEY, write_verdict

NAME = "rejoinder"
_READING = ("_", "get_", "search_", "list_")  # what comes before these came before the next change


def killed_installs(root: Path, tries: int = EVERY, sabotage: Sabotage = nothing) -> Outcome:
    """Kill a pull at every step that it does to the store and the trust state.

    Survived is a kill after which `current` is the old or the new release, whole; which does not let a release back
    in that is older than the one served; and after which another pull serves the new release and leaves nothing.

    Args:
        root: an empty folder.
        tries: how many of the steps.
        sabotage: breaks the product.

    Returns:
        How many were survived.
    """
    scene = two_releases(root)
    total = count_steps(root, install, scene.node(), scene.source, sabotage)
    steps = evenly(total, tries)
    survived = sum(_survives_install(scene, number, sabotage) for number in steps)
    return Outcome("SIGKILL at a step of an install", len(steps), survived, f"an install has {total} steps")


def _survives_install(scene: Scene, number: int, sabotage: Sabotage) -> bool:
    node = scene.node()
    died = apart(install, node, scene.source, sabotage, number, scene.root / "steps") == -signal.SIGKILL
    whole = node.serves(scene.old, scene.new)
    return died and whole and _keeps_what_it_served(scene, node) and completes(scene, node)


def _keeps_what_it_served(scene: Scene, node: Node) -> bool:
    """A source that has gone back to the old release does not bring it back where the new one was served."""
    if not node.serves(scene.new):
        return True
    with suppress(BundleError):
        pull(node.store, source=FolderSource(scene.before), trust=node.trust)
    return node.serves(scene.new)


def killed_releases(root: Path, tries: int = EVERY, sabotage: Sabotage = nothing) -> Outcome:
    """Kill register and promote, against a local database, at every step to its files and every call that
    changes what MLflow holds.

    Survived is a kill after which the champion is the old or the new release, signed and with all its files, so
    that it can be pulled and opened; and after which both commands, typed again, make the new release the champion,
    with a serial of its own.

    Args:
        root: an empty folder.
        tries: how many of the steps.
        sabotage: breaks the product.

    Returns:
        How many were survived.
    """
    scene = two_releases(root / "scene")
    live, node = root / "live", scene.node()
    if apart(_ship_old, live, scene.bundles(scene.old), scene.bundles(scene.new)) != 0:
        raise RuntimeError("no first release")
    live.rename(root / "shipped")  # the database holds its own path, so it is used at one place only
    bundles = scene.bundles(scene.new)
    total = count_steps(root, _release, fresh_copy(root / "shipped", live), bundles, sabotage)
    steps = evenly(total, tries)
    survived = 0
    for number in steps:
        fresh_copy(root / "shipped", live)
        died = apart(_release, live, bundles, sabotage, number, root / "steps") == -signal.SIGKILL
        whole = apart(_look_release_look, live, node, bundles, (scene.old.content, scene.new.content)) == 0
        survived += died and whole
    return Outcome("SIGKILL at a step of register or promote", len(steps), survived, f"they have {total} steps")


def _act_on(live: Path) -> None:
    trust = live / "trust"
    if not trust.is_dir():
        trust.mkdir(parents=True)
        shutil.copy(KEY.with_suffix(".pub"), trust)
    uri = f"sqlite:///{live / 'mlflow.db'}"
    os.environ.update(MLFLOW_TRACKING_URI=uri, REJOINDER_TRUST=str(trust), REJOINDER_SIGNING_KEY=str(KEY))


def _ship_old(live: Path, old: Mapping[Kind, Path], new: Mapping[Kind, Path]) -> None:
    from tests.registry.artifacts import ship

    _act_on(live)
    write_verdict(live / VERDICT, new, ship(old, NAME).digest)


def _release(live: Path, bundles: Mapping[Kind, Path], sabotage: Sabotage, die_at: int, report: Path) -> None:
    from mlflow import MlflowClient

    _act_on(live)
    sabotage()
    steps = Steps([live], die_at)
    for name, act in vars(MlflowClient).items():
        if callable(act) and not name.startswith(_READING):
            setattr(MlflowClient, name, _counted(steps, act))
    publish(bundles, live / VERDICT, NAME)
    promote(NAME)
    report.write_text(str(steps.done))


def _counted(steps: Steps, act: Callable[..., Any]) -> Callable[..., Any]:
    def stepping(*args: Any, **kwargs: Any) -> Any:
        steps.step()
        return act(*args, **kwargs)

    return stepping


def _look_release_look(live: Path, node: Node, bundles: Mapping[Kind, Path], contents: Sequence[str]) -> None:
    """Ends with exit code 0 only if all is well."""
    _act_on(live)
    _look(node, contents)
    publish(bundles, live / VERDICT, NAME)
    promote(NAME)
    _look(node, contents[1:])


def _look(node: Node, contents: Sequence[str]) -> None:
    client = connect()
    shutil.rmtree(node.root)
    node.trust.root.mkdir(parents=True)
    shutil.copy(KEY.with_suffix(".pub"), node.trust.root)
    pulled = pull(node.store, NAME, source=ClientSource(client), trust=node.trust).release
    if pulled.content not in contents:
        raise RuntimeError(f"the champion is {pulled}")
    known = read_catalog(client, NAME).releases
    for version in known:
        with tempfile.TemporaryDirectory() as folder:
            release = fetch_folder(version, Path(folder), node.trust)
        for kind, digest in release.bundles.items():
            fetch_manifest(client, NAME, kind, digest)
    serials = [version.tags["serial"] for version in sorted(known, key=lambda version: version.number)]
    if sorted(set(serials), key=int) != serials:
        raise RuntimeError(f"serials do not rise: {serials}")


FAULTS = (killed_installs, killed_releases)
