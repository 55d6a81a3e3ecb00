"""Install: verified files -> their final place in a store, so that a reader never sees half of anything.

Everything is written and flushed under `STORE/incoming` and takes its final name by one rename; `current` is
replaced last. A crash at any point leaves the old release in force.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from registry.errors import RegistryError
from rejoinder.atomic import sync, write_text
from rejoinder.errors import StoreError
from rejoinder.manifest import Digest, Manifest
from rejoinder.proof import verify_bundle
from rejoinder.release import Release
from rejoinder.store import Store

_LOCK_SECONDS = 600  # a pull of some hundred megabytes by another process


def incoming(store: Store) -> Path:
    """Where files wait until they are verified."""
    return store.root / "incoming"


def part_dir(store: Store, digest: Digest) -> Path:
    """Where a bundle or a release folder is put together."""
    return incoming(store) / (digest.replace(":", "-") + ".part")


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Let one process at a time change a store; readers need no lock.

    Args:
        store: made if missing.

    Yields:
        Nothing.

    Raises:
        RegistryError: if another process holds the store for too long.
    """
    from filelock import FileLock, Timeout

    incoming(store).mkdir(parents=True, exist_ok=True)
    path = store.root / "lock"
    try:
        with FileLock(path, timeout=_LOCK_SECONDS):
            incoming(store).mkdir(exist_ok=True)  # whoever held the lock before may have cleaned up
            yield
    except Timeout:
        raise RegistryError(
            f"{path}: held by another process for over {_LOCK_SECONDS} s. Next: wait for that pull, or end it"
        ) from None


def check_space(store: Store, needed: int) -> None:
    """Refuse to begin what cannot be finished.

    Args:
        store: where to.
        needed: bytes that are about to be written.

    Raises:
        RegistryError: if the store's file system has less than that free.
    """
    free = shutil.disk_usage(store.root).free
    free_mb, needed_mb = free / 1e6, needed / 1e6
    if free < needed:
        raise RegistryError(
            f"{store.root}: not enough space: expected {needed_mb:.1f} MB free, got {free_mb:.1f} MB; nothing "
            "was changed. Next: free some, keep fewer (rejoinder pull --keep), or choose another --store"
        )


def install_bundle(store: Store, part: Path, digest: Digest) -> Manifest:
    """Verify a directory and give it its final name.

    Args:
        store: where to; the caller holds its lock.
        part: the directory, on the same file system.
        digest: the pinned digest.

    Returns:
        The bundle's manifest.

    Raises:
        BundleError: if any byte differs; the store is unchanged.
    """
    manifest = verify_bundle(part, digest)
    _move(part, store.bundle_dir(digest))
    return manifest


def install_release(store: Store, part: Path, release: Release) -> Path:
    """Give the folder of a release, whose signature has been verified, its final name.

    Args:
        store: where to; the caller holds its lock.
        part: the folder, on the same file system.
        release: what it holds.

    Returns:
        The folder's final place.
    """
    final = store.release_dir(release.digest)
    _move(part, final)
    return final


def _move(part: Path, final: Path) -> None:
    for path in part.iterdir():
        sync(path)
    sync(part)
    final.parent.mkdir(exist_ok=True)
    if final.exists():
        # Only what was damaged is ever installed again: a directory cannot be replaced by one rename.
        damaged = part.with_suffix(".damaged")
        shutil.rmtree(damaged, ignore_errors=True)
        final.rename(damaged)
    part.rename(final)
    sync(final.parent)


def activate(store: Store, release: Release) -> None:
    """Make a release the current one, and the one before it `previous`.

    Args:
        store: already holds the release and its bundles; the caller holds its lock.
        release: the release.
    """
    old = store.current_digest()
    if old == release.digest:
        return
    if old is not None:
        _replace(store, store.previous_file, old)
    _replace(store, store.current_file, release.digest)


def mend_pointers(store: Store) -> None:
    """Remove pointers that were damaged on this machine's disk: they name no release, and a pull writes them anew.

    Args:
        store: the caller holds its lock.
    """
    for path, read in (
        (store.current_file, store.current_digest),
        (store.previous_file, store.previous_digest),
    ):
        try:
            digest = read()
            is_good = digest is None or store.release_dir(digest).is_dir()
        except StoreError:
            is_good = False
        if not is_good:
            path.unlink()


def clean(store: Store) -> None:
    """Remove what earlier, interrupted pulls left behind; the caller holds the store's lock."""
    shutil.rmtree(incoming(store), ignore_errors=True)


def _replace(store: Store, path: Path, digest: Digest) -> None:
    write_text(path, digest + "\n", partial=incoming(store) / (path.name + ".part"))
