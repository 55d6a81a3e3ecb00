"""After the gate: register, promote, pull back, verify, answer. Side effects, hence outside the DAG."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.promote import promote
from registry.publish import publish
from registry.pull import pull
from registry.releases import champion
from rejoinder.answer.responder import Responder
from rejoinder.dialogue import Dialogue
from rejoinder.errors import RejoinderError
from rejoinder.manifest import MANIFEST, Digest, digest_file
from rejoinder.parts import Kind
from rejoinder.release import Release
from rejoinder.store import Store, open_current
from stages.expectations.drift import accept

BUNDLES: dict[Kind, Path] = {
    "model": Path("build/export/model"),
    "cache": Path("build/cache/cache"),
    "index": Path("build/index/index"),
}
SNAPSHOT = Path("build/validate/snapshot.json")
VERDICT = Path("build/gate/verdict.json")
MEASURED = Path("build/benchmark/metrics.json")
SAMPLES = ("I feel lonely", "What do you do for fun?", "I just got a new puppy!")


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample turn and the release's reply."""

    turn: str
    reply: str


def is_stale() -> bool:
    """Whether the candidate was measured against another champion than there is now.

    DVC cannot see MLflow, so it may restore measurements that were made against an older champion.
    """
    now = champion()
    if now is None or now.bundles != _built():
        measured = json.loads(MEASURED.read_text())["champion"]
        return bool((measured and measured["digest"]) != (now and now.digest))
    return False


def register() -> Release:
    """Register what the DAG has built and promote it; from then on, new data are compared with this release's."""
    release = publish(BUNDLES, VERDICT).release
    promote(release.name, release.serial)
    accept(SNAPSHOT)
    return release


def pull_back(release: Release) -> Release:
    """Pull the champion, which that release now is, into the local store."""
    return pull(Store.default(), release.name).release


def verify_and_answer(turns: Sequence[str] = SAMPLES) -> list[Answered]:
    """Open the current release, with all its checks, and answer sample turns from it.

    Args:
        turns: each is answered by itself.

    Returns:
        The answers.
    """
    responder = Responder(open_current(Store.default()))
    replies = [(turn, responder.answer(Dialogue.from_lines([turn]))) for turn in turns]
    return [Answered(turn, reply.text or "(no fit reply)") for turn, reply in replies]


def released_already() -> Release | None:
    """The current local release, if it is MLflow's newest and holds exactly what the DAG has built."""
    try:
        release = Store.default().current().release
    except RejoinderError:
        return None
    return release if release.bundles == _built() and release == champion() else None


def _built() -> dict[Kind, Digest | None]:
    return {kind: _digest(path) for kind, path in BUNDLES.items()}


def _digest(bundle: Path) -> Digest | None:
    manifest = bundle / MANIFEST
    return digest_file(manifest) if manifest.is_file() else None
