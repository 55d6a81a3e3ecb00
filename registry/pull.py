"""Pull: a release in MLflow -> verified bundles in a store, then `current`.

MLflow compares no digests on download and may deliver half a file without a word. So the release pins the
manifests, a manifest pins its files, and nothing is parsed before its digest has been compared.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import NotFoundError, TransferError
from registry.install import activate, clean, install_bundle, locked, part_dir
from registry.progress import transfer_bar
from registry.releases import DEFAULT_NAME, bundle_model, fetch_release, find_release
from registry.tracking import Version, connect, download, versions
from rejoinder.bundle import Installed, open_release, verify_bundle
from rejoinder.errors import IntegrityError
from rejoinder.manifest import KINDS, MANIFEST, Digest, Kind, file_problems, read_manifest
from rejoinder.release import Release, check_runtime
from rejoinder.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient


def pull(store: Store, name: str = DEFAULT_NAME, serial: int | None = None) -> Release:
    """Install a release and make it the current one.

    Args:
        store: where to; made if missing.
        name: of the release.
        serial: which one; None for the highest.

    Returns:
        The release.

    Raises:
        NotFoundError: if MLflow holds no such release.
        TrackingError: if MLflow fails.
        TransferError: if other bytes arrive than were released; the current release stays.
        BundleError: if the release is not for this runtime, its parts do not belong together, or this machine
            computes other vectors; the current release stays.
    """
    client = connect()
    release = fetch_release(client, find_release(client, name, serial))
    check_runtime(release)
    with locked(store):
        for kind in KINDS:
            _ensure(client, store, release, kind)
        # A release that this machine cannot prove must not become the one that it serves.
        open_release(Installed(release, {kind: store.bundle_dir(release.bundles[kind]) for kind in KINDS}))
        activate(store, release)
        clean(store)
    return release


def _ensure(client: MlflowClient, store: Store, release: Release, kind: Kind) -> None:
    digest = release.bundles[kind]
    if store.bundle_dir(digest).is_dir():
        try:
            verify_bundle(store.bundle_dir(digest), digest)
            return
        except IntegrityError:
            pass  # damaged on this machine's disk: fetch it again
    found = versions(client, bundle_model(release.name, kind), digest=digest)
    if not found:
        raise NotFoundError(f"{release}: no {kind} bundle {digest} in MLflow. Next: register the release again")
    part = part_dir(store, digest)
    try:
        _fetch(client, found[0], part, digest)
        install_bundle(store, part, digest)
    except IntegrityError as error:
        shutil.rmtree(part, ignore_errors=True)
        lines = [f"  - {problem}" for problem in error.problems]
        raise TransferError(
            "\n".join(
                [
                    f"{found[0]}: other bytes arrived than were released; the current release stays in force",
                    *lines,
                    "  next: pull again; if it fails the same way, the artifact store is damaged: register again",
                ]
            )
        ) from error


def _fetch(client: MlflowClient, version: Version, part: Path, digest: Digest) -> None:
    manifest = read_manifest(download(client, version, MANIFEST, part).parent, digest)
    # What an interrupted pull has left is kept where it is right, and removed where it is not.
    wrong = {problem.where for problem in file_problems(part, manifest)}
    for path in [path for path in part.iterdir() if path.name in wrong]:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    missing = {file: manifest.files[file].size for file in manifest.files if file in wrong}
    with transfer_bar(f"fetching {manifest.kind}", sum(missing.values())) as advance:
        for file, size in missing.items():
            download(client, version, file, part)
            advance(size)
