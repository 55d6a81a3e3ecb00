"""Releases as MLflow knows them: list, find, fetch the document."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import NotFoundError
from registry.tracking import Version, connect, download, shown_uri, versions
from rejoinder.manifest import Digest, Kind, is_digest
from rejoinder.release import Release, read_release

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_NAME = "rejoinder"
DOCUMENT = "release.json"


def bundle_model(name: str, kind: Kind) -> str:
    """Name of the registered model that holds a release's bundles of one kind."""
    return f"{name}-{kind}"


def release_versions(client: MlflowClient, name: str) -> list[Version]:
    """All releases of a name, without fetching their documents.

    Args:
        client: an open client.
        name: of the release.

    Returns:
        Versions with a serial, highest first.

    Raises:
        TrackingError: if MLflow fails.
    """
    found = [v for v in versions(client, name) if v.tags.get("serial", "").isdecimal()]
    return sorted(found, key=lambda version: -int(version.tags["serial"]))


def find_release(client: MlflowClient, name: str, serial: int | None = None) -> Version:
    """Find one release.

    Args:
        client: an open client.
        name: of the release.
        serial: which one; None for the highest.

    Returns:
        Its version.

    Raises:
        NotFoundError: if there is none.
        TrackingError: if MLflow fails.
    """
    found = release_versions(client, name)
    if serial is not None:
        found = [version for version in found if version.tags["serial"] == str(serial)]
    if not found:
        wanted = f"release {name}" + (f" #{serial}" if serial is not None else "")
        raise NotFoundError(
            f"{wanted}: not in MLflow at {shown_uri()}. Next: rejoinder releases --remote; rejoinder register"
        )
    return found[0]


def fetch_release(client: MlflowClient, version: Version) -> Release:
    """Fetch a release document and check it before it is parsed.

    Args:
        client: an open client.
        version: of the release.

    Returns:
        The release.

    Raises:
        NotFoundError: if MLflow has lost the document.
        TrackingError: if MLflow fails.
        BundleError: if the document is not the one that was registered.
    """
    digest = version.tags.get("digest", "")
    if not is_digest(digest):
        raise NotFoundError(f"{version}: expected a digest tag, got none. Next: register the release again")
    with tempfile.TemporaryDirectory() as folder:
        return read_release(download(client, version, DOCUMENT, Path(folder)), Digest(digest))


def champion(name: str = DEFAULT_NAME, client: MlflowClient | None = None) -> Release | None:
    """The release with the highest serial.

    Args:
        name: of the release.
        client: an open client; by default one for `tracking_uri`.

    Returns:
        The release, or None if none was ever registered.

    Raises:
        RegistryError: if MLflow fails or has lost it.
        BundleError: if the document is not the one that was registered.
    """
    client = client or connect()
    found = release_versions(client, name)
    return fetch_release(client, found[0]) if found else None
