"""Prune: remove releases that nobody needs any more, and the bundles that only they used."""

from __future__ import annotations

import shutil
from pathlib import Path

from registry.pull.install import incoming
from rejoinder.errors import BundleError
from rejoinder.parts.notes import drop_notes
from rejoinder.release.canonical import Digest
from rejoinder.release.document import RELEASE, Release, read_release
from rejoinder.store.lease import sole_use
from rejoinder.store.store import Store, digest_of

KEEP = 3  # the current release, the one before, and one to look at


def prune(store: Store, keep: int = KEEP) -> list[Release]:
    """Remove old releases; never the current one, the one before it, or one that a process uses.

    Args:
        store: the caller holds its lock.
        keep: how many of the highest serials stay in any case; at least 1.

    Returns:
        What was removed.
    """
    found = _read_all(store)
    by_serial = sorted(found.values(), key=lambda release: -release.serial)
    kept = {store.current_digest(), store.previous_digest(), *(release.digest for release in by_serial[:keep])}
    removed = [r for digest, r in found.items() if digest not in kept and _remove_release(store, digest)]
    if store.current_digest() not in {None, *found}:
        return removed  # damaged on this disk: which bundles it needs cannot be read
    gone = {release.digest for release in removed}
    needed = {d for digest, release in found.items() if digest not in gone for d in release.bundles.values()}
    for folder in (store.root / "bundles").glob("sha256-*"):
        if digest_of(folder) not in needed:
            _discard(store, folder)
    drop_notes(store.choices, needed)
    return removed


def _read_all(store: Store) -> dict[Digest, Release]:
    """Every release of the store; one damaged on this disk goes, unless it is current or in use."""
    found = {}
    current = store.current_digest()
    for folder in (store.root / "releases").glob("sha256-*"):
        try:
            found[digest_of(folder)] = read_release(folder / RELEASE, digest_of(folder))
        except (BundleError, OSError):
            if digest_of(folder) != current:
                _remove_release(store, digest_of(folder))
    return found


def _remove_release(store: Store, digest: Digest) -> bool:
    folder = store.release_dir(digest)
    if not (folder / RELEASE).is_file():  # nobody can hold a lease on what is not there
        _discard(store, folder)
        return True
    with sole_use(folder) as alone:
        if alone:
            _discard(store, folder)
    return alone


def _discard(store: Store, folder: Path) -> None:
    """Take the name away by one rename first: a crash must not leave half a folder under a good name."""
    trash = incoming(store) / (folder.name + ".removed")
    shutil.rmtree(trash, ignore_errors=True)
    folder.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)
