"""MLflow's own client as a source: for a local database, and for artifact stores that are not behind the server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import TransferError
from registry.files import download
from registry.releases import bundle_model, find_versions, read_catalog
from registry.source import Pointer, Which
from registry.tracking import Version, connect
from rejoinder.manifest import Digest, Kind
from rejoinder.signature import MAX_BYTES

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

    def resolve(self, name: str, which: Which) -> Pointer:
        """Find a release."""
        version = read_catalog(self._client, name).find(which)
        return Pointer(Digest(version.tags["digest"]), _place(version))

    def bundle(self, name: str, kind: Kind, digest: Digest) -> str:
        """Find a bundle."""
        return _place(find_versions(self._client, bundle_model(name, kind), digest)[0])

    def fetch(self, place: str, file: str, target: Path, size: int | None = None) -> None:
        """Fetch one file."""
        model, number, run_id = place.rsplit("/", 2)
        limit = MAX_BYTES if size is None else size
        # Beside the target, so that taking its name is a rename: MLflow writes straight to the name it is given.
        with tempfile.TemporaryDirectory(dir=target.parent.parent) as folder:
            path = download(self._client, Version(model, int(number), run_id, {}, ""), file, Path(folder))
            found = path.stat().st_size
            if found > limit or (size is not None and found < size):
                raise TransferError(f"{model} version {number}, {file}: expected {limit} bytes, got {found}")
            path.replace(target)


def _place(version: Version) -> str:
    return f"{version.name}/{version.number}/{version.run_id}"
