"""The local store of a serving node: content-addressed bundles, releases, and which one is current.

    STORE/bundles/sha256-<digest>/     one bundle, named by its manifest's digest
    STORE/releases/sha256-<digest>/    one release: its document, verdict, provenance, bill of materials, signature
    STORE/current                      one line: the current release's digest; replaced atomically
    STORE/previous                     the one before
    STORE/choices/                     what runs each model fastest on this machine: a note, never trusted further

This module reads; `registry.pull.install` writes. Readers take a lease on a release while they use it, which keeps
the collection of old releases away from it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rejoinder.errors import StoreError
from rejoinder.home import home
from rejoinder.release.canonical import Digest, is_digest
from rejoinder.release.document import RELEASE, Release, read_release
from rejoinder.release.proof import Installed


@dataclass(frozen=True, slots=True)
class Store:
    """Paths of a store, and what is installed in it."""

    root: Path

    @classmethod
    def default(cls) -> Store:
        """The store at `REJOINDER_STORE`, else `store` in the home."""
        return cls(Path(os.environ.get("REJOINDER_STORE") or home() / "store"))

    @property
    def current_file(self) -> Path:
        """Holds the current release's digest."""
        return self.root / "current"

    @property
    def previous_file(self) -> Path:
        """Holds the digest of the release that was current before."""
        return self.root / "previous"

    @property
    def choices(self) -> Path:
        """Holds what was found to run each model fastest."""
        return self.root / "choices"

    def bundle_dir(self, digest: Digest) -> Path:
        """Directory of a bundle."""
        return self.root / "bundles" / digest.replace(":", "-")

    def release_dir(self, digest: Digest) -> Path:
        """Folder of a release."""
        return self.root / "releases" / digest.replace(":", "-")

    def releases(self) -> list[Release]:
        """All installed releases, newest serial first.

        Returns:
            The releases whose documents are in the store.

        Raises:
            BundleError: if a document does not have the digest it is named by.
        """
        folders = (self.root / "releases").glob("sha256-*")
        found = [read_release(path / RELEASE, digest_of(path)) for path in folders]
        return sorted(found, key=lambda release: -release.serial)

    def current(self) -> Installed:
        """Resolve the current release once; every path of the answer belongs to that one release.

        Returns:
            The release and its directories, not yet verified.

        Raises:
            StoreError: if nothing is installed, or the store is incomplete.
            BundleError: if the release document was changed.
        """
        digest = self.current_digest()
        if digest is None:
            raise StoreError(
                f"no release is installed: expected {self.current_file}, got no such file. "
                "Next: rejoinder pull, or name another store with --store or REJOINDER_STORE"
            )
        return self.installed(digest)

    def current_digest(self) -> Digest | None:
        """The current release.

        Returns:
            Digest of its document; None if nothing is installed.

        Raises:
            StoreError: if the file holds anything but a digest.
        """
        return _pointer(self.current_file)

    def previous_digest(self) -> Digest | None:
        """The release that was current before.

        Returns:
            Digest of its document; None if there was none.

        Raises:
            StoreError: if the file holds anything but a digest.
        """
        return _pointer(self.previous_file)

    def installed(self, digest: Digest) -> Installed:
        """One installed release by digest.

        Args:
            digest: of the release document.

        Returns:
            The release and its directories, not yet verified.

        Raises:
            StoreError: if the release or one of its bundles is not in the store.
            BundleError: if the release document was changed.
        """
        folder = self.release_dir(digest)
        if not (folder / RELEASE).is_file():
            raise StoreError(
                f"release not in the store: expected {folder}, got no such folder. Next: rejoinder pull"
            )
        release = read_release(folder / RELEASE, digest)
        bundles = {kind: self.bundle_dir(d) for kind, d in release.bundles.items()}
        missing = [str(directory) for directory in bundles.values() if not directory.is_dir()]
        if missing:
            raise StoreError(f"{release}: bundles not in the store: {', '.join(missing)}. Next: rejoinder pull")
        return Installed(release, folder, bundles, self.choices)


def digest_of(folder: Path) -> Digest:
    """The digest that a bundle's or release's folder is named by."""
    return Digest(folder.name.replace("-", ":", 1))


def _pointer(path: Path) -> Digest | None:
    try:
        digest = path.read_text(errors="replace").strip()
    except FileNotFoundError:
        return None
    if not is_digest(digest):
        raise StoreError(f"{path}: expected a digest, got something else. Next: rejoinder pull")
    return Digest(digest)
