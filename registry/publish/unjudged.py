"""Unjudged: what the champion holds that no gate judges goes along with whatever is released after it.

Else a later build, or a rollback, would lose an operator's deny list.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import TransferError
from registry.mlflow.artifacts import download
from registry.mlflow.catalog import Catalog, bundle_model, ensure_bundle, fetch_manifest, fetch_release
from rejoinder.parts import Kind, in_order
from rejoinder.release.canonical import Digest
from rejoinder.release.manifest import Manifest, write_manifest
from rejoinder.release.vectorizer_spec import VectorizerId

if TYPE_CHECKING:
    from mlflow import MlflowClient


def carried(client: MlflowClient, now: Catalog, vectorizer_id: VectorizerId) -> dict[Kind, Manifest]:
    """What the champion holds that no gate judges, made to belong to a vectorizer.

    Args:
        client: an open client.
        now: the releases of the name.
        vectorizer_id: of the release that is to hold it.

    Returns:
        Manifests by kind; MLflow holds the bundles.

    Raises:
        RegistryError: if MLflow fails, or has lost it.
        BundleError: if the champion is not signed by a trusted key, or is not what was registered.
    """
    if now.champion is None:
        return {}
    pinned = unjudged_of(fetch_release(now.champion).bundles)
    return {kind: _made_for(client, now.name, kind, pinned[kind], vectorizer_id) for kind in pinned}


def unjudged_of(bundles: Mapping[Kind, Digest]) -> dict[Kind, Digest]:
    """Those of some bundles that no gate judges."""
    return {part.bundle: bundles[part.bundle] for part in in_order(bundles) if not part.judged}


def _made_for(client: MlflowClient, name: str, kind: Kind, digest: Digest, vectorizer_id: VectorizerId) -> Manifest:
    manifest, version = fetch_manifest(client, name, kind, digest)
    if manifest.vectorizer_id == vectorizer_id:
        return manifest
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / bundle_model(name, kind)
        folder.mkdir()
        for file in manifest.files:
            download(version.source, file, folder)
        made = write_manifest(folder, kind, vectorizer_id, manifest.facts)
        if made.files != manifest.files:
            raise TransferError(f"{kind} bundle {digest}: MLflow delivers other bytes. Next: rejoinder deny FILE")
        ensure_bundle(client, name, folder, made)
    return made
