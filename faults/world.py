"""A world of releases: a publisher, an MLflow server and three machines that pull; and what is true in it.

What a whole release is, is decided here by comparing bytes with what was published, without asking the code under
test.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from faults.memory_client import MemoryClient
from faults.power import Power, PowerCut, watched
from registry.pull.sources.client import ClientSource
from registry.pull.sources.folder import FolderSource
from registry.pull.sources.source import Source
from rejoinder.errors import RejoinderError
from rejoinder.parts import PHRASES, REPLIES, Kind
from rejoinder.release.canonical import Digest, canonical_json
from rejoinder.release.document import RELEASE, parse_time
from rejoinder.release.manifest import MANIFEST
from rejoinder.release.signature import SIGNATURE, SIGNED
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests.bundles import KEY, WHOLE, build_whole, reseal

NAME = "rejoinder"
NODE, EDGE, DESK = "node", "edge", "desk"
#: Two machines follow an alias: `node` that of the server, `edge` what is current in the folder of `node`.
#: On `desk` somebody pulls by serial.
MACHINES = (NODE, EDGE, DESK)
BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
Files = Mapping[str, bytes]


@dataclass
class Stage:
    """What all runs share: where they play, the power, bundles that fit together, and figures over all runs."""

    root: Path
    power: Power
    contents: Sequence[Mapping[Kind, Path]]
    mixed: Mapping[Kind, Path]
    truth: Mapping[str, Files]
    counts: Counter[str] = field(default_factory=Counter)
    world: World | None = None


@dataclass
class World:
    """One run.

    Attributes:
        stage: what it shares with the other runs.
        root: its folder.
        client: the MLflow server.
        now: the time on every clock.
        damaged: folders and pointers that lie damaged on a machine's disk, by machine.
        leases: held by processes, by machine and release.
    """

    stage: Stage
    root: Path
    client: MemoryClient
    now: datetime = BEGIN
    damaged: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in MACHINES})
    leases: list[tuple[str, Digest, BinaryIO]] = field(default_factory=list)

    def store(self, machine: str) -> Store:
        """What is installed on a machine."""
        return Store(self.root / machine)

    def trust(self, machine: str) -> Trust:
        """Whom a machine believes, and what it has seen."""
        return Trust(self.root / f"{machine}-trust")

    def source(self, machine: str) -> Source:
        """Where a machine pulls from."""
        return FolderSource(self.root / NODE) if machine == EDGE else ClientSource(self.client)

    def attempt(self, action: Callable[[], object], cut: int | None = None) -> Exception | None:
        """Do something that may be refused, or die in the middle of it.

        Args:
            action: what to do.
            cut: after how many steps the power is cut; None for never.

        Returns:
            Why it was refused; None if it was done, or cut off.
        """
        with self.stage.power.cut_after(cut):
            try:
                action()
            except PowerCut:
                self.stage.counts["cut off"] += 1
            except RejoinderError as error:
                self.stage.counts["refused"] += 1
                return error
        return None

    def published(self) -> dict[str, Files]:
        """Files of every release on the server, by the name of its folder in a store."""
        model = self.client.models.get(NAME)
        found = model.versions if model else []
        return {version.tags["digest"].replace(":", "-"): self.client.runs[version.run_id] for version in found}

    def serials(self) -> list[int]:
        """Of every release on the server."""
        model = self.client.models.get(NAME)
        return [int(version.tags["serial"]) for version in model.versions] if model else []

    def champion(self) -> str | None:
        """Name of the champion's folder."""
        model = self.client.models.get(NAME)
        number = model.aliases.get("champion") if model else None
        if model is None or number is None:
            return None
        return str(model.versions[int(number) - 1].tags["digest"]).replace(":", "-")

    def has_expired(self, files: Files) -> bool:
        """Whether a release's time is over."""
        return self.now >= parse_time(json.loads(files[RELEASE])["expires"])

    def wrong_folders(self, machine: str, digest: Digest) -> set[str]:
        """Folders of an installed release that do not hold what was published, byte for byte."""
        root, name = self.root / machine, digest.replace(":", "-")
        files = self.published().get(name)
        if files is None:
            return {name}
        wrong = set() if read_files(root / "releases" / name) == files else {name}
        for pinned in json.loads(files[RELEASE])["bundles"].values():
            folder = pinned.replace(":", "-")
            if read_files(root / "bundles" / folder) != self.stage.truth[folder]:
                wrong.add(folder)
        return wrong

    def server_is_whole(self, folder: str) -> bool:
        """Whether the server holds every byte of a release: its documents and its bundles."""
        files = self.published()[folder]
        if set(files) != {*SIGNED, SIGNATURE}:
            return False
        pinned = json.loads(files[RELEASE])["bundles"]
        return all(self._holds(kind, pinned[kind]) for kind in WHOLE)

    def _holds(self, kind: str, digest: str) -> bool:
        versions = self.client.models[f"{NAME}-{kind}"].versions
        held = [self.client.runs[version.run_id] for version in versions if version.tags["digest"] == digest]
        return self.stage.truth[digest.replace(":", "-")] in held

    def close(self) -> None:
        """End the run."""
        for _, _, lease in self.leases:
            lease.close()
        shutil.rmtree(self.root)


def read_files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def new_world(stage: Stage, number: int) -> World:
    """A world in which nothing has been published yet."""
    world = World(stage, stage.root / f"run-{number}", MemoryClient(stage.power))
    (world.root / "tmp").mkdir(parents=True)
    for machine in MACHINES:
        world.trust(machine).root.mkdir()
        shutil.copy(KEY.with_suffix(".pub"), world.trust(machine).root)
    stage.world = world
    return world


def write_judged(world: World, bundles: Mapping[Kind, Path], champion: str | None) -> Path:
    """The gate's verdict on some bundles, compared with a champion."""
    digests = {kind: f"sha256:{_manifest_digest(path)}" for kind, path in bundles.items()}
    against = {"digest": champion.replace("-", ":", 1) if champion else None}
    path = world.root / "verdict.json"
    path.write_bytes(canonical_json({"verdict": "BLESSED", "reasons": [], "bundles": digests, "champion": against}))
    return path


def _manifest_digest(bundle: Path) -> str:
    from hashlib import sha256

    return sha256((bundle / MANIFEST).read_bytes()).hexdigest()


@contextmanager
def staged(root: Path) -> Iterator[Stage]:
    """Build the bundles, and let the code under test speak to the server in memory and see the world's clock.

    Args:
        root: an empty folder.

    Yields:
        The stage.
    """
    import mlflow.artifacts

    contents, mixed = _build(root / "bundles")
    truth = {
        f"sha256-{_manifest_digest(path)}": read_files(path) for content in contents for path in content.values()
    }
    play = root / "play"
    play.mkdir()
    with watched(str(play)) as power, pytest.MonkeyPatch.context() as patch:
        stage = Stage(play, power, contents, mixed, truth)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{play}/mlflow.db")  # names the promoters' lock, no more
        patch.setenv("REJOINDER_SIGNING_KEY", str(KEY))
        patch.setenv("REJOINDER_TRUST", str(KEY.parent))  # whom the publisher believes
        for module in ("register", "promote"):
            patch.setattr(f"registry.publish.{module}.connect", lambda: _world(stage).client)
        for module in ("pull.freshness", "publish.new_release"):
            patch.setattr(f"registry.{module}.now", lambda: _world(stage).now)
        # Bytes that are signed like any others; to compose them takes longer than all the rest.
        patch.setattr("registry.publish.register.provenance", lambda *_: b'{"predicate": {}}\n')
        patch.setattr("registry.publish.register.base_encoder", lambda *_: None)
        patch.setattr("registry.publish.register.bill_of_materials", lambda *_: b"{}\n")
        for call in ("download_artifacts", "list_artifacts"):
            patch.setattr(mlflow.artifacts, call, _asking(stage, call))
        yield stage


def _asking(stage: Stage, call: str) -> Callable[..., Any]:
    def ask(**said: str) -> Any:
        return getattr(_world(stage).client, call)(**said)

    return ask


def _world(stage: Stage) -> World:
    if stage.world is None:
        raise RuntimeError("no run has begun")
    return stage.world


def _build(root: Path) -> tuple[list[Mapping[Kind, Path]], Mapping[Kind, Path]]:
    """Four releases' bundles: of two models, of the first with another index, or another cache; and a mixture."""
    first, second = build_whole(root / "first"), build_whole(root / "second", seed=1)
    index = Path(shutil.copytree(first[REPLIES.bundle], root / REPLIES.bundle))
    cache = Path(shutil.copytree(first[PHRASES.bundle], root / PHRASES.bundle))
    reseal(index, candidates=5)
    reseal(cache, note="another")
    contents: list[Mapping[Kind, Path]] = [
        first,
        second,
        {**first, REPLIES.bundle: index},
        {**first, PHRASES.bundle: cache},
    ]
    return contents, {**first, REPLIES.bundle: second[REPLIES.bundle]}
