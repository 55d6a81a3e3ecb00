"""After the gate: register, pull back, verify, answer. Side effects, hence outside the DAG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.publish import publish
from registry.pull import pull
from rejoinder.bundle import open_release
from rejoinder.dialogue import Dialogue
from rejoinder.errors import RejoinderError
from rejoinder.manifest import MANIFEST, Digest, Kind, digest_file
from rejoinder.release import Release
from rejoinder.responder import Responder
from rejoinder.store import Store

BUNDLES: dict[Kind, Path] = {
    "model": Path("build/export/model"),
    "cache": Path("build/cache/cache"),
    "index": Path("build/index/index"),
}
VERDICT = Path("build/gate/verdict.json")
SAMPLES = ("I feel lonely", "What do you do for fun?", "I just got a new puppy!")


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample turn and the release's reply."""

    turn: str
    reply: str


def register() -> Release:
    """Register what the DAG has built."""
    return publish(BUNDLES, VERDICT).release


def pull_back(release: Release) -> Release:
    """Pull that release into the local store."""
    return pull(Store.default(), release.name, release.serial)


def verify_and_answer(turns: Sequence[str] = SAMPLES) -> list[Answered]:
    """Open the current release, with all its checks, and answer sample turns from it.

    Args:
        turns: each is answered by itself.

    Returns:
        The answers.
    """
    responder = Responder(open_release(Store.default().current()))
    replies = [(turn, responder.answer(Dialogue.from_lines([turn]))) for turn in turns]
    return [Answered(turn, reply.text or "(no fit reply)") for turn, reply in replies]


def released_already() -> Release | None:
    """The current local release, if it holds exactly what the DAG has built."""
    try:
        release = Store.default().current().release
    except RejoinderError:
        return None
    built = {kind: _digest(path) for kind, path in BUNDLES.items()}
    return release if built == release.bundles else None


def _digest(bundle: Path) -> Digest | None:
    manifest = bundle / MANIFEST
    return digest_file(manifest) if manifest.is_file() else None
