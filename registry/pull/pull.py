"""Pull: a release from a folder or from MLflow -> verified, proved and current in a local store.

Nothing that arrives is parsed before it is verified: a release folder by its signature, a manifest by the digest in
the signed document, every other file by its manifest. Files that an interrupted pull has left are gone on from.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry.errors import RegistryError, TransferError
from registry.mlflow.catalog import DEFAULT_NAME
from registry.names import CHAMPION, Selector
from registry.pull.freshness import check_fresh, record
from registry.pull.install import (
    activate,
    check_space,
    clean,
    install_bundle,
    install_release,
    locked,
    part_dir,
    repair_pointers,
)
from registry.pull.prune import KEEP, prune
from registry.pull.sources.choose import choose_source
from registry.pull.sources.source import ReleaseRef, Source
from rejoinder.errors import BundleError, IntegrityError, Problem
from rejoinder.parts import Kind, in_order
from rejoinder.progress import BYTES, progress
from rejoinder.release import openssf
from rejoinder.release.canonical import Digest, digest_file
from rejoinder.release.document import RELEASE, Release, check_runtime, read_release
from rejoinder.release.manifest import MANIFEST, Manifest, file_problems, read_manifest
from rejoinder.release.proof import Installed, verify_bundle, verify_signer
from rejoinder.release.signature import SIGNATURE, SIGNED, verify_signature
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store, digest_of

_SPARE = 1 << 24  # 16 MiB: the release folder, and what a file system needs for itself


@dataclass(frozen=True, slots=True)
class Pulled:
    """The release that is current now, and whether this pull made it so."""

    release: Release
    is_new: bool


def pull(
    store: Store,
    name: str = DEFAULT_NAME,
    which: Selector = CHAMPION,
    *,
    source: Source | None = None,
    trust: Trust | None = None,
    keep: int = KEEP,
) -> Pulled:
    """Install a release and make it the current one.

    Args:
        store: where to; made if missing.
        name: of the release.
        which: an alias to follow, or a serial.
        source: where from; by default MLflow.
        trust: whom this machine believes; by default `Trust.default()`.
        keep: how many releases stay installed.

    Returns:
        The release.

    Raises:
        NotFoundError: if there is no such release.
        TrackingError: if the source fails.
        TransferError: if other bytes arrive than were released; the current release stays.
        BundleError: if the release is not signed by a trusted key, not fresh, not for this runtime, its parts do
            not belong together, or this machine computes other vectors; the current release stays.
        RegistryError: if there is no space for it.
    """
    source, trust = source or choose_source(), trust or Trust.default()
    alias = which if isinstance(which, str) else None
    with _no_space(store), locked(store):
        repair_pointers(store)
        # Once, and only when it is our turn: everything that follows belongs to this one answer.
        pointer = source.resolve(name, which)
        folder, release = _release(source, store, pointer, trust)
        _check_asked_for(release, name, which)
        check_fresh(release, alias, trust)
        check_runtime(release)
        fetched = _bundles(source, store, release)
        is_new = store.current_digest() != release.digest
        bundles = {kind: store.bundle_dir(digest) for kind, digest in release.bundles.items()}
        installed = Installed(release, folder, bundles, store.choices)
        if fetched or not _was_proved(store, release):
            from rejoinder.parts.opened import open_release, prove_the_rest  # imports numpy, ONNX Runtime and FAISS

            # A release that this machine cannot prove must not become the one that it serves, whatever runs it.
            opened = open_release(installed, trust=trust)
            try:
                prove_the_rest(installed, opened)
            finally:
                opened.close()
        if folder != store.release_dir(release.digest):
            install_release(store, folder, release)
        record(release, alias, trust)  # first: killed in between, the new release could be followed by an old one
        activate(store, release)
        prune(store, keep)
        clean(store)
    return Pulled(release, is_new)


def _release(source: Source, store: Store, pointer: ReleaseRef, trust: Trust) -> tuple[Path, Release]:
    """The verified release folder: the one that is installed, else one fetched into `incoming`."""
    installed = store.release_dir(pointer.digest)
    if installed.is_dir():
        try:
            return installed, _verified(installed, pointer.digest, trust)
        except BundleError:
            pass  # damaged on this machine's disk: fetch it again
    try:
        return _fetch_release(source, store, pointer, trust)
    except BundleError:
        # A connection that is closed early looks like the end of a file. Once more, then that is what is stored.
        return _fetch_release(source, store, pointer, trust)


def _fetch_release(source: Source, store: Store, pointer: ReleaseRef, trust: Trust) -> tuple[Path, Release]:
    part = part_dir(store, pointer.digest)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for file in (SIGNATURE, *SIGNED):
        source.fetch(pointer.place, file, part / file)
    release = _verified(part, pointer.digest, trust)
    key = trust.keys().get(release.signer.key)
    if key is not None:  # the OpenSSF's library has checked certificates already; of keys it gives a second opinion
        openssf.verify_key(part, part / SIGNATURE, key.path)
    return part, release


def _verified(folder: Path, digest: Digest, trust: Trust) -> Release:
    verify_signature(folder, trust)
    release = read_release(folder / RELEASE, digest)
    verify_signer(Installed(release, folder, {}), trust)
    return release


def _check_asked_for(release: Release, name: str, which: Selector) -> None:
    """A signed release under another's name is a signed release; it is not the one that was asked for."""
    problems = [] if release.name == name else [Problem("name", name, release.name)]
    if isinstance(which, int) and release.serial != which:
        problems.append(Problem("serial", str(which), str(release.serial)))
    if problems:
        raise IntegrityError(str(release), problems)


def _bundles(source: Source, store: Store, release: Release) -> bool:
    """Bring every bundle into the store; says whether any had to be fetched."""
    pinned = release.bundles
    missing = [part.bundle for part in in_order(pinned) if not _is_whole(store, pinned[part.bundle])]
    places = {kind: source.bundle(release.name, kind, release.bundles[kind]) for kind in missing}
    manifests = {kind: _fetch_manifest(source, store, release, kind, places[kind]) for kind in missing}
    wrong = {kind: _wrong_files(store, manifest) for kind, manifest in manifests.items()}
    check_space(store, _SPARE + sum(sum(sizes.values()) for sizes in wrong.values()))
    for kind in missing:
        part = part_dir(store, release.bundles[kind])
        with progress(f"fetching {kind}", BYTES, sum(wrong[kind].values())) as advance:
            for file, size in wrong[kind].items():
                _fetch_file(source, places[kind], part / file, manifests[kind])
                advance(size)
        install_bundle(store, part, release.bundles[kind])
    return bool(missing)


def _was_proved(store: Store, release: Release) -> bool:
    """Whether these bundles were opened here before, as a rollback's were: no release is installed without that."""
    folders = (store.root / "releases").glob("sha256-*")
    return any(_content(folder) == release.content for folder in folders)


def _content(folder: Path) -> Digest | None:
    """What an installed release holds; None if its document is damaged."""
    try:
        return read_release(folder / RELEASE, digest_of(folder)).content
    except (BundleError, OSError):
        return None


def _is_whole(store: Store, digest: Digest) -> bool:
    """Whether the store holds a bundle as it was released, not damaged on this machine's disk."""
    try:
        verify_bundle(store.bundle_dir(digest), digest)
    except IntegrityError:
        return False
    return True


def _fetch_manifest(source: Source, store: Store, release: Release, kind: Kind, place: str) -> Manifest:
    part = part_dir(store, release.bundles[kind])
    part.mkdir(exist_ok=True)
    for try_left in (1, 0):
        source.fetch(place, MANIFEST, part / MANIFEST)
        try:
            return read_manifest(part, release.bundles[kind])
        except IntegrityError as error:
            (part / MANIFEST).unlink()
            if not try_left:
                raise _other_bytes(kind, error) from error
    raise AssertionError("unreachable")


def _wrong_files(store: Store, manifest: Manifest) -> dict[str, int]:
    """Sizes of the files that have yet to be fetched; what is there and cannot be gone on from is removed."""
    part = part_dir(store, manifest.digest)
    wrong = {problem.where for problem in file_problems(part, manifest)}
    for path in [path for path in part.iterdir() if path.name in wrong]:
        entry = manifest.files.get(path.name)
        is_beginning = entry and not path.is_symlink() and path.is_file() and path.stat().st_size < entry.size
        if not is_beginning:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return {file: entry.size for file, entry in manifest.files.items() if file in wrong}


def _fetch_file(source: Source, place: str, target: Path, manifest: Manifest) -> None:
    """Fetch a file until it has its digest: what was gone on from may have been another file's beginning."""
    entry = manifest.files[target.name]
    for try_left in (1, 0):
        source.fetch(place, target.name, target, entry.size)
        found = digest_file(target)
        if found == entry.sha256:
            return
        target.unlink()
        if not try_left:
            error = IntegrityError(manifest.kind, [Problem(target.name, entry.sha256, found)])
            raise _other_bytes(manifest.kind, error)


def _other_bytes(kind: Kind, error: BundleError) -> TransferError:
    lines = [f"  - {problem}" for problem in error.problems]
    return TransferError(
        "\n".join(
            [
                f"{kind}: other bytes arrived than were released; the current release stays in force",
                *lines,
                "  next: pull again; if it fails the same way, the artifact store is damaged: register again",
            ]
        )
    )


@contextmanager
def _no_space(store: Store) -> Iterator[None]:
    """A disk that fills up while we write is refused like one that was full before."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RegistryError(
            f"{store.root}: no space left while writing; the current release stays in force. "
            "Next: free some, then pull again: it goes on where it has stopped"
        ) from None
