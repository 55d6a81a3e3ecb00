"""Releases as MLflow knows them: list, find, follow an alias, fetch the folder."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import NotFoundError, TransferError
from registry.mlflow.artifacts import download, sizes, upload
from registry.mlflow.client import Version, aliases, versions
from registry.mlflow.connection import connect
from registry.mlflow.uri import redacted_uri
from registry.names import CHAMPION, PREVIOUS, Selector
from rejoinder.errors import IntegrityError
from rejoinder.parts import Kind
from rejoinder.release.canonical import Digest, is_digest
from rejoinder.release.document import RELEASE, Release, read_release
from rejoinder.release.manifest import MANIFEST, Manifest, read_manifest
from rejoinder.release.signature import SIGNATURE, SIGNED, verify_signature
from rejoinder.release.trust import Trust

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_NAME = "rejoinder"
CHALLENGER = "challenger"
ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)


def bundle_model(name: str, kind: Kind) -> str:
    """Name of the registered model that holds a release's bundles of one kind."""
    return f"{name}-{kind}"


@dataclass(frozen=True, slots=True)
class Catalog:
    """What MLflow lists of a name at one moment; nothing is fetched or verified.

    Attributes:
        name: of the releases.
        releases: versions with a serial, highest first.
        aliases: release by alias; aliases that point at no release are left out.
    """

    name: str
    releases: Sequence[Version]
    aliases: Mapping[str, Version]

    @property
    def champion(self) -> Version | None:
        """The release that is champion."""
        return self.aliases.get(CHAMPION)

    def find(self, which: Selector = CHAMPION) -> Version:
        """Find one release.

        Args:
            which: an alias or a serial.

        Returns:
            Its version.

        Raises:
            NotFoundError: if there is none.
        """
        if isinstance(which, str):
            found = self.aliases.get(which)
        else:
            found = next((version for version in self.releases if version.tags["serial"] == str(which)), None)
        if found is None or not is_digest(found.tags.get("digest")):
            wanted = which if isinstance(which, str) else f"#{which}"
            raise NotFoundError(
                f"release {self.name} {wanted}: not in MLflow at {redacted_uri()}. "
                "Next: rejoinder releases --remote; rejoinder register, then promote"
            )
        return found


def read_catalog(client: MlflowClient, name: str) -> Catalog:
    """List the releases of a name.

    Args:
        client: an open client.
        name: of the releases.

    Returns:
        The list.

    Raises:
        TrackingError: if MLflow fails.
    """
    pointed = aliases(client, name)  # first: what they point at is then among the versions
    found = [v for v in versions(client, name) if v.tags.get("serial", "").isdecimal()]
    by_number = {version.number: version for version in found}
    return Catalog(
        name,
        sorted(found, key=lambda version: -int(version.tags["serial"])),
        {alias: by_number[number] for alias, number in pointed.items() if number in by_number},
    )


def find_versions(client: MlflowClient, model: str, digest: Digest) -> list[Version]:
    """The versions of a bundle.

    Args:
        client: an open client.
        model: the registered model.
        digest: of the bundle.

    Returns:
        At least one version, newest first.

    Raises:
        NotFoundError: if there is none.
        TrackingError: if MLflow fails.
    """
    found = versions(client, model, digest=digest)
    if not found:
        raise NotFoundError(f"{model}: no bundle {digest} in MLflow. Next: register the release again")
    return found


def fetch_folder(version: Version, folder: Path, trust: Trust | None = None) -> Release:
    """Fetch a release's folder and check its signature before anything in it is parsed.

    Args:
        version: of the release.
        folder: an empty directory.
        trust: whom this machine believes; by default `Trust.default()`.

    Returns:
        The release.

    Raises:
        NotFoundError: if MLflow has lost a file.
        TrackingError: if MLflow fails.
        BundleError: if it is not signed by a trusted key, or is not what was registered.
    """
    for file in (SIGNATURE, *SIGNED):
        download(version.source, file, folder)
    verify_signature(folder, trust or Trust.default())
    return read_release(folder / RELEASE, Digest(version.tags.get("digest", "")))


def fetch_release(version: Version) -> Release:
    """Fetch a release's document, its signature checked.

    Args:
        version: of the release.

    Returns:
        The release.

    Raises:
        NotFoundError: if MLflow has lost a file.
        TrackingError: if MLflow fails.
        BundleError: if it is not signed by a trusted key, or is not what was registered.
    """
    with tempfile.TemporaryDirectory() as folder:
        return fetch_folder(version, Path(folder))


def fetch_manifest(client: MlflowClient, name: str, kind: Kind, digest: Digest) -> tuple[Manifest, Version]:
    """Fetch a bundle's manifest, and check that MLflow still holds all the files that it names.

    A version without files is READY to MLflow, so its files are listed and their sizes compared.

    Args:
        client: an open client.
        name: of the release.
        kind: of the bundle.
        digest: of the bundle.

    Returns:
        The manifest, and the newest version that is complete.

    Raises:
        NotFoundError: if there is no such bundle.
        TransferError: if every version of it is incomplete.
        TrackingError: if MLflow fails.
    """
    model = bundle_model(name, kind)
    problem = ""
    for version in find_versions(client, model, digest):
        held = sizes(version.source)
        with tempfile.TemporaryDirectory() as folder:
            try:
                download(version.source, MANIFEST, Path(folder))
                manifest = read_manifest(Path(folder), digest)
            except (NotFoundError, IntegrityError) as error:
                problem = type(error).__name__
                continue
        expected = {file: entry.size for file, entry in manifest.files.items()}
        wrong = [file for file, size in expected.items() if held.get(file) != size]
        if not wrong:
            return manifest, version
        problem = f"missing or of another size: {', '.join(wrong)}"
    raise TransferError(f"{model}: bundle {digest} is incomplete in MLflow: {problem}. Next: register it again")


def ensure_bundle(client: MlflowClient, name: str, directory: Path, manifest: Manifest) -> None:
    """Store a bundle, unless MLflow holds it whole.

    Args:
        client: an open client.
        name: of the release.
        directory: of the bundle, verified.
        manifest: of the bundle.

    Raises:
        TrackingError: if MLflow fails.
        TransferError: if MLflow holds other files than were sent.
    """
    try:
        fetch_manifest(client, name, manifest.kind, manifest.digest)
    except (NotFoundError, TransferError):
        tags = {"digest": manifest.digest, "kind": manifest.kind, "vectorizer_id": manifest.vectorizer_id}
        upload(client, f"{name}-releases", bundle_model(name, manifest.kind), directory, tags)


def champion(name: str = DEFAULT_NAME, client: MlflowClient | None = None) -> Release | None:
    """The release that the alias `champion` points at.

    Args:
        name: of the release.
        client: an open client; by default one for `tracking_uri`.

    Returns:
        The release, or None if none was ever promoted.

    Raises:
        RegistryError: if MLflow fails or has lost it.
        BundleError: if it is not signed by a trusted key, or is not what was registered.
    """
    client = client or connect()
    version = read_catalog(client, name).champion
    return None if version is None else fetch_release(version)
