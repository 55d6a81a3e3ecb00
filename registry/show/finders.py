"""Finders: a release's folder and manifests by name, from the local store or from MLflow, for show and diff."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from registry.errors import NotFoundError
from registry.mlflow.catalog import fetch_folder, fetch_manifest, read_catalog
from registry.mlflow.connection import connect
from registry.names import CHAMPION, PREVIOUS, Selector
from rejoinder.parts import Kind
from rejoinder.release.canonical import Digest
from rejoinder.release.manifest import Manifest, read_manifest
from rejoinder.release.proof import verify_signer
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store


@dataclass(frozen=True, slots=True)
class StoreFinder:
    """The releases installed in a store."""

    store: Store
    name: str

    def folder(self, which: str, into: Path) -> tuple[Path, dict[Kind, Manifest]]:
        """Find a release.

        Args:
            which: a serial, `current` (or `champion`), or `previous`.
            into: not needed here: the folder is where it is installed.

        Returns:
            The release folder, its signature checked, and the manifests.

        Raises:
            NotFoundError: if it is not installed.
            BundleError: if its documents are not what was signed.
        """
        del into
        digest = self._digest(which)
        if digest is None:
            raise NotFoundError(
                f"release {self.name} {which}: not installed. Next: rejoinder releases, or --remote"
            )
        installed = self.store.installed(digest)
        verify_signer(installed, Trust.default())
        pinned = installed.release.bundles
        return installed.folder, {kind: read_manifest(installed.bundles[kind], pinned[kind]) for kind in pinned}

    def _digest(self, which: str) -> Digest | None:
        if which in ("current", CHAMPION):
            return self.store.current_digest()
        if which == PREVIOUS:
            return self.store.previous_digest()
        found = [r.digest for r in self.store.releases() if r.name == self.name and str(r.serial) == which]
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class MlflowFinder:
    """The releases that MLflow holds."""

    name: str

    def folder(self, which: str, into: Path) -> tuple[Path, dict[Kind, Manifest]]:
        """Find a release and fetch its folder.

        Args:
            which: a serial or an alias.
            into: where to put the folder.

        Returns:
            The release folder, its signature checked, and the manifests.

        Raises:
            NotFoundError: if MLflow holds no such release.
            TrackingError: if MLflow fails.
            BundleError: if its documents are not what was signed.
        """
        client = connect()
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        release = fetch_folder(read_catalog(client, self.name).find(_which(which)), into)
        pinned = release.bundles
        return into, {kind: fetch_manifest(client, self.name, kind, pinned[kind])[0] for kind in pinned}


def _which(text: str) -> Selector:
    if text.isdecimal():
        return int(text)
    return CHAMPION if text == "current" else text


def store_finder(store: Store, name: str) -> StoreFinder:
    """The finder of a store."""
    return StoreFinder(store, name)


def mlflow_finder(name: str) -> MlflowFinder:
    """The finder of MLflow."""
    return MlflowFinder(name)
