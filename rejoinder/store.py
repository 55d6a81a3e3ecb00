"""The local store of a serving node: content-addressed bundles, releases, and which one is current.

    STORE/bundles/sha256-<digest>/     one bundle, named by its manifest's digest
    STORE/releases/sha256-<digest>.json
    STORE/current                      one line: the current release's digest; replaced atomically

This module reads; `registry.install` writes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rejoinder.bundle import Installed
from rejoinder.errors import StoreError
from rejoinder.manifest import Digest, is_digest
from rejoinder.release import Release, read_release

DEFAULT_ROOT = ".rejoinder/store"


@dataclass(frozen=True, slots=True)
class Store:
    """Paths of a store, and what is installed in it."""

    root: Path

    @classmethod
    def default(cls) -> Store:
        """The store at `REJOINDER_STORE`, else `.rejoinder/store` in the working directory."""
        return cls(Path(os.environ.get("REJOINDER_STORE") or DEFAULT_ROOT))

    @property
    def current_file(self) -> Path:
        """Holds the current release's digest."""
        return self.root / "current"

    def bundle_dir(self, digest: Digest) -> Path:
        """Directory of a bundle."""
        return self.root / "bundles" / digest.replace(":", "-")

    def release_file(self, digest: Digest) -> Path:
        """Document of a release."""
        return self.root / "releases" / (digest.replace(":", "-") + ".json")

    def releases(self) -> list[Release]:
        """All installed releases, newest serial first.

        Returns:
            The releases whose documents are in the store.

        Raises:
            BundleError: if a document does not have the digest it is named by.
        """
        paths = (self.root / "releases").glob("sha256-*.json")
        found = [read_release(path, Digest(path.stem.replace("-", ":", 1))) for path in paths]
        return sorted(found, key=lambda release: -release.serial)

    def current(self) -> Installed:
        """Resolve the current release once; every path of the answer belongs to that one release.

        Returns:
            The release and its directories, not yet verified.

        Raises:
            StoreError: if nothing is installed, or the store is incomplete.
            BundleError: if the release document was changed.
        """
        try:
            digest = self.current_file.read_text(errors="replace").strip()
        except FileNotFoundError:
            raise StoreError(
                f"no release is installed: expected {self.current_file}, got no such file. "
                "Next: rejoinder pull, or name another store with --store or REJOINDER_STORE"
            ) from None
        if not is_digest(digest):
            raise StoreError(f"{self.current_file}: expected a digest, got something else. Next: rejoinder pull")
        return self.installed(Digest(digest))

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
        path = self.release_file(digest)
        if not path.is_file():
            raise StoreError(f"release not in the store: expected {path}, got no such file. Next: rejoinder pull")
        release = read_release(path, digest)
        bundles = {kind: self.bundle_dir(d) for kind, d in release.bundles.items()}
        missing = [str(directory) for directory in bundles.values() if not directory.is_dir()]
        if missing:
            raise StoreError(f"{release}: bundles not in the store: {', '.join(missing)}. Next: rejoinder pull")
        return Installed(release, bundles)
