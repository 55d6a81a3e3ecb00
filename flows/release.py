"""After the gate: register, promote, pull back, verify, answer. Side effects, hence outside the DAG."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.workspace import Workspace
from registry.mlflow.catalog import champion
from registry.publish.promote import promote as make_champion
from registry.publish.register import publish
from registry.pull.pull import pull
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue
from rejoinder.errors import RejoinderError
from rejoinder.parts import Kind
from rejoinder.parts.opened import open_current
from rejoinder.release.canonical import Digest, digest_file
from rejoinder.release.document import Release
from rejoinder.release.manifest import MANIFEST
from rejoinder.store.store import Store
from stages.validate.drift import accept

SAMPLES = ("I feel lonely", "What do you do for fun?", "I just got a new puppy!")


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample turn and the release's reply."""

    turn: str
    reply: str


def is_stale(workspace: Workspace) -> bool:
    """Whether the candidate was measured against another champion than there is now.

    DVC cannot see MLflow, so it may restore measurements that were made against an older champion.
    """
    now = champion(workspace.name)
    if now is None or now.judged != _built(workspace):
        measured = json.loads(workspace.measured.read_text())["champion"]
        return bool((measured and measured["digest"]) != (now and now.digest))
    return False


def register(workspace: Workspace) -> Release:
    """Register what the DAG has built: the challenger."""
    return publish(
        workspace.bundles, workspace.verdict, workspace.name, pages=[workspace.replies, workspace.guarded]
    ).release


def promote(workspace: Workspace, release: Release) -> None:
    """Make a release the champion; from then on, new data are compared with its own."""
    make_champion(release.name, release.serial)
    accept(workspace.snapshot)


def pull_back(release: Release) -> None:
    """Pull the champion, which that release now is, into the local store."""
    pull(Store.default(), release.name)


def verify_and_answer(turns: Sequence[str] = SAMPLES) -> list[Answered]:
    """Open the current release, with all its checks, and answer sample turns from it, each by itself."""
    responder = Responder(open_current(Store.default()))
    replies = [(turn, responder.answer(Dialogue.from_lines([turn]))) for turn in turns]
    return [Answered(turn, reply.text or "(no fit reply)") for turn, reply in replies]


def released_already(workspace: Workspace) -> Release | None:
    """The current local release, if it is MLflow's newest and holds exactly what the DAG has built."""
    try:
        release = Store.default().current().release
    except RejoinderError:
        return None
    return release if release.judged == _built(workspace) and release == champion(workspace.name) else None


def _built(workspace: Workspace) -> dict[Kind, Digest | None]:
    return {kind: _digest(path) for kind, path in workspace.bundles.items()}


def _digest(bundle: Path) -> Digest | None:
    manifest = bundle / MANIFEST
    return digest_file(manifest) if manifest.is_file() else None
