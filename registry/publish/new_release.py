"""New release: what a release says of itself -> a signed folder, uploaded as a new version with the next serial."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from registry.mlflow.artifacts import upload
from registry.mlflow.catalog import Catalog
from registry.mlflow.client import Version, ensure_model
from registry.mlflow.connection import mlflow_errors
from registry.publish.keys import SigningKey
from registry.publish.sign import sign
from registry.pull.freshness import now
from rejoinder import __version__
from rejoinder.release.document import RELEASE, Release, write_time

if TYPE_CHECKING:
    from mlflow import MlflowClient

VALID_DAYS = 90
#: Tag of the registered model: the highest serial ever given out, so that deleting a version frees none.
LAST_SERIAL = "last_serial"


def runtime_range(version: str = __version__) -> tuple[str, str]:
    """Lowest and (exclusive) highest runtime that may load what this version makes: the same minor version.

    Args:
        version: "major.minor.patch".

    Returns:
        Two versions, "major.minor".
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    return f"{major}.{minor}", f"{major}.{minor + 1}"


def validity(days: int = VALID_DAYS) -> tuple[str, str]:
    """The fields `created` and `expires` of a release made now.

    Args:
        days: for how long pullers may take it.

    Returns:
        Both times.
    """
    created = now()
    return write_time(created), write_time(created + timedelta(days=days))


def take_serial(client: MlflowClient, catalog: Catalog) -> int:
    """Give out the next serial; it is never given out again, whatever becomes of the release.

    Args:
        client: an open client; the caller is the one promoter.
        catalog: the releases of the name.

    Returns:
        The serial.

    Raises:
        TrackingError: if MLflow fails.
    """
    name = catalog.name
    with mlflow_errors(f"give out a serial of {name}"):
        found = client.search_registered_models(f"name='{name}'", max_results=1)
        if not found:
            ensure_model(client, name)
        tag = found[0].tags.get(LAST_SERIAL, "0") if found else "0"
        known = [int(version.tags["serial"]) for version in catalog.releases]
        serial = max([int(tag) if tag.isdecimal() else 0, *known]) + 1
        client.set_registered_model_tag(name, LAST_SERIAL, str(serial))
    return serial


def upload_release(
    client: MlflowClient,
    release: Release,
    documents: Mapping[str, bytes],
    key: SigningKey,
    metrics: Mapping[str, float],
) -> Version:
    """Write a release folder, sign it, and store it as a new version.

    Args:
        client: an open client.
        release: the document.
        documents: bytes of the files beside it, by name.
        key: what signs.
        metrics: shown by MLflow beside the version.

    Returns:
        The version.

    Raises:
        TrackingError: if MLflow fails.
        TransferError: if MLflow holds other files than were sent.
    """
    tags = {
        "digest": release.digest,
        "kind": "release",
        "vectorizer_id": release.vectorizer_id,
        "serial": str(release.serial),
        "content": release.content,
        "verdict": release.blessed.verdict,
    }
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "release"  # the signature names the folder: no machine's path
        folder.mkdir()
        for name, data in {**documents, RELEASE: release.to_bytes()}.items():
            (folder / name).write_bytes(data)
        sign(folder, key)
        return upload(client, f"{release.name}-releases", release.name, folder, tags, metrics=metrics)
