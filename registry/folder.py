"""A plain folder as a source: any store, on a share, a stick or in an image, can be pulled from."""

from __future__ import annotations

import shutil
from pathlib import Path

from registry.errors import NotFoundError, TransferError
from registry.source import CHAMPION, PREVIOUS, Pointer, Which
from rejoinder.manifest import Digest
from rejoinder.parts import Kind
from rejoinder.signature import MAX_BYTES
from rejoinder.store import Store


class FolderSource:
    """A store that somebody else's `rejoinder pull --store` has filled; its current release is the champion."""

    def __init__(self, root: Path) -> None:
        """Name the folder.

        Args:
            root: the store's root.
        """
        self._store = Store(root)

    def resolve(self, name: str, which: Which) -> Pointer:
        """Find a release: the current one, the one before (`previous`), or one by serial."""
        if which == CHAMPION:
            digest = self._store.current_digest()
        elif which == PREVIOUS:
            digest = self._store.previous_digest()
        else:
            wanted = [r.digest for r in self._store.releases() if r.name == name and r.serial == which]
            digest = wanted[0] if wanted else None
        if digest is None:
            raise NotFoundError(
                f"release {name} {which}: not in {self._store.root}. "
                f"Next: rejoinder pull --store {self._store.root}"
            )
        return Pointer(digest, str(self._store.release_dir(digest)))

    def bundle(self, name: str, kind: Kind, digest: Digest) -> str:
        """Find a bundle."""
        folder = self._store.bundle_dir(digest)
        if not folder.is_dir():
            raise NotFoundError(
                f"{kind} bundle {digest}: not in {self._store.root}. Next: pull into that folder again"
            )
        return str(folder)

    def fetch(self, place: str, file: str, target: Path, size: int | None = None) -> None:
        """Copy one file."""
        path = Path(place) / file
        if path.is_symlink() or not path.is_file():
            raise NotFoundError(f"{path}: expected a plain file, got none. Next: pull into that folder again")
        found, limit = path.stat().st_size, MAX_BYTES if size is None else size
        if found > limit or (size is not None and found < size):
            raise TransferError(f"{path}: expected {limit} bytes{' at most' if size is None else ''}, got {found}")
        shutil.copyfile(path, target)
