"""Publish: three bundles + the gate's verdict -> three versions and one release in MLflow.

Registering twice does nothing the second time, and registering again completes what was interrupted: every
version is looked up by the digest of its content first, and created only after its files have arrived.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from registry.releases import (
    DEFAULT_NAME,
    DOCUMENT,
    bundle_model,
    champion,
    fetch_release,
    release_versions,
)
from registry.tracking import Version, connect, sizes, upload, versions
from registry.verdict import Verdict, check_champion, check_judged, read_verdict
from rejoinder import __version__
from rejoinder.bundle import Installed, verify_bytes, verify_consistency
from rejoinder.manifest import KINDS, MANIFEST, Kind, Manifest, read_manifest
from rejoinder.release import Release

if TYPE_CHECKING:
    from mlflow import MlflowClient

VERDICT = "verdict.json"


@dataclass(frozen=True, slots=True)
class Published:
    """A release in MLflow, and whether this call made it."""

    release: Release
    is_new: bool


def publish(bundles: Mapping[Kind, Path], verdict: Path, name: str = DEFAULT_NAME) -> Published:
    """Register blessed bundles as a release.

    Args:
        bundles: one directory of each kind.
        verdict: the gate's verdict on them.
        name: of the release; the bundles go to `<name>-model`, `<name>-cache` and `<name>-index`.

    Returns:
        The release.

    Raises:
        VerdictError: if the verdict does not bless these bundles against today's champion.
        BundleError: if a bundle does not verify, or the three do not belong together.
        TrackingError: if MLflow fails.
        TransferError: if MLflow holds other files than were sent.
    """
    judged = read_verdict(verdict)
    check_judged(judged, bundles)
    client = connect()
    known = release_versions(client, name)
    release = _draft(judged, bundles, name, serial=int(known[0].tags["serial"]) + 1 if known else 1)
    manifests = verify_bytes(Installed(release, bundles))
    verify_consistency(str(release), manifests, release.vectorizer_id)
    # An older release of the same content is no match: going back to it is a new release with a new serial.
    same = known[0] if known and known[0].tags.get("content") == release.content else None
    if same is None:
        check_champion(judged, champion(name, client))
    for kind in KINDS:
        _ensure_bundle(client, name, bundles[kind], manifests[kind])
    if same is not None:
        return Published(fetch_release(client, same), is_new=False)
    _upload_release(client, release, judged, verdict)
    return Published(release, is_new=True)


def _draft(judged: Verdict, bundles: Mapping[Kind, Path], name: str, serial: int) -> Release:
    return Release(
        name=name,
        serial=serial,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        vectorizer_id=read_manifest(bundles["model"], judged.bundles["model"]).vectorizer_id,
        bundles=judged.bundles,
        runtime=runtime_range(__version__),
        gate=judged.digest,
    )


def runtime_range(version: str) -> tuple[str, str]:
    """Lowest and (exclusive) highest runtime that may load what this version makes: the same minor version.

    Args:
        version: "major.minor.patch".

    Returns:
        Two versions, "major.minor".
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    return f"{major}.{minor}", f"{major}.{minor + 1}"


def _ensure_bundle(client: MlflowClient, name: str, directory: Path, manifest: Manifest) -> Version:
    model = bundle_model(name, manifest.kind)
    expected = {file: entry.size for file, entry in manifest.files.items()}
    expected[MANIFEST] = len(manifest.to_bytes())
    for version in versions(client, model, digest=manifest.digest):
        if sizes(client, version.run_id) == expected:
            return version
    tags = {"digest": manifest.digest, "kind": manifest.kind, "vectorizer_id": manifest.vectorizer_id}
    return upload(client, f"{name}-releases", model, directory, tags)


def _upload_release(client: MlflowClient, release: Release, judged: Verdict, verdict: Path) -> None:
    tags = {
        "digest": release.digest,
        "kind": "release",
        "vectorizer_id": release.vectorizer_id,
        "serial": str(release.serial),
        "content": release.content,
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / DOCUMENT).write_bytes(release.to_bytes())
        (Path(folder) / VERDICT).write_bytes(verdict.read_bytes())
        upload(client, f"{release.name}-releases", release.name, Path(folder), tags, metrics=judged.metrics)
