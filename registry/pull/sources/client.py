"""MLflow's own client as a source: for a local database, and for artifact stores that are not behind the server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import TransferError
from registry.mlflow.artifacts import download
from registry.mlflow.catalog import bundle_model, find_versions, read_catalog
from registry.mlflow.connection import connect
from registry.mlflow.uri import redacted_uri
from registry.names import Selector
from registry.pull.sources.source import ReleaseRef
from rejoinder.parts import Kind
from rejoinder.release.canonical import Digest
from rejoinder.release.signature import MAX_BYTES

if TYPE_CHECKING:
    from mlflow import MlflowClient


class ClientSource:
    """Pulls through `mlflow.MlflowClient`, which takes some seconds to import."""

    def __init__(self, client: MlflowClient | None = None) -> None:
        """Connect.

        Args:
            client: an open client; by default one for `tracking_uri`.
        """
        self._client = client or connect()

    def resolve(self, name: str, which: Selector) -> ReleaseRef:
        """Find a release."""
        version = read_catalog(self._client, name).find(which)
        return ReleaseRef(Digest(version.tags["digest"]), version.source)

    def bundle(self, name: str, kind: Kind, digest: Digest) -> str:
        """Find a bundle."""
        return find_versions(self._client, bundle_model(name, kind), digest)[0].source

    def fetch(self, place: str, file: str, target: Path, size: int | None = None) -> None:
        """Fetch one file."""
        limit = MAX_BYTES if size is None else size
        # Beside the target, so that taking its name is a rename: MLflow writes straight to the name it is given.
        with tempfile.TemporaryDirectory(dir=target.parent.parent) as folder:
            path = download(place, file, Path(folder))
            found = path.stat().st_size
            if found > limit or (size is not None and found < size):
                raise TransferError(f"{file} in MLflow at {redacted_uri()}: expected {limit} bytes, got {found}")
            path.replace(target)
