"""Open a release: prove it, load it, probe it.

No parser of models, indices or arrays sees a byte before everything has been proved. All problems are collected,
then raised once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rejoinder.cache import CachedVectorizer, PhraseCache
from rejoinder.errors import ConsistencyError, FormatError, IntegrityError, ProbeError, Problem, RejoinderError
from rejoinder.index import ReplyIndex
from rejoinder.lease import take_lease
from rejoinder.manifest import Kind, Manifest, file_problems, read_manifest
from rejoinder.probes import cache_problems, index_problems, model_problems
from rejoinder.proof import Installed, prove, spec_problems
from rejoinder.release import Release
from rejoinder.trust import Trust
from rejoinder.vectorizer import Vectorizer, load_vectorizer


@dataclass(frozen=True, slots=True)
class OpenRelease:
    """A release, proved and loaded."""

    release: Release
    vectorizer: Vectorizer
    encoder: CachedVectorizer
    cache: PhraseCache
    index: ReplyIndex
    lease: BinaryIO

    def close(self) -> None:
        """Give the lease back: the store may remove this release once it is neither current nor previous."""
        self.lease.close()


def open_release(installed: Installed, provider: str | None = None, trust: Trust | None = None) -> OpenRelease:
    """Prove a release and load it.

    Args:
        installed: the release and its directories.
        provider: an ONNX Runtime execution provider; by default the best one present.
        trust: whom this machine believes; by default `Trust.default()`.

    Returns:
        The loaded release.

    Raises:
        StoreError: if the release was removed meanwhile.
        SignatureError: if it is not signed by a trusted key.
        IntegrityError: if any byte differs from what was released.
        FormatError: if a manifest is of a format that this version cannot read.
        ConsistencyError: if parts were made by different vectorizers or do not fit this runtime.
        ProbeError: if this machine computes other vectors than the release holds.
    """
    lease = take_lease(installed.folder)
    try:
        manifests = prove(installed, trust)
        with _refusing_crashes(str(installed.release)):
            return _load(installed, manifests, provider, lease)
    except BaseException:
        lease.close()
        raise


@contextmanager
def _refusing_crashes(subject: str) -> Iterator[None]:
    """A signed release may still be made wrongly: what crashes a parser or the first use of it is refused."""
    try:
        yield
    except RejoinderError:
        raise
    except BaseException as error:  # tokenizers, ONNX Runtime and numpy raise many classes without a common one
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # Rust's is no Exception
            raise
        problem = Problem("parts", "files that load and answer the probes", type(error).__name__)
        raise FormatError(subject, [problem]) from error


def _load(
    installed: Installed, manifests: Mapping[Kind, Manifest], provider: str | None, lease: BinaryIO
) -> OpenRelease:
    release = installed.release
    vectorizer = load_vectorizer(installed.bundles["model"], manifests["model"], provider)
    cache = PhraseCache(installed.bundles["cache"], manifests["cache"].facts["phrases"], vectorizer.dim)
    index = ReplyIndex(installed.bundles["index"], manifests["index"], vectorizer.dim)
    tolerance = float(manifests["model"].facts["tolerance"][vectorizer.provider])
    problems = model_problems(installed.bundles["model"], vectorizer, tolerance)
    problems += cache_problems(cache, vectorizer, release.bundles["cache"], tolerance)
    problems += index_problems(index, vectorizer, release.bundles["index"], tolerance)
    if problems:
        raise ProbeError(str(release), problems)
    return OpenRelease(release, vectorizer, CachedVectorizer(vectorizer, cache), cache, index, lease)


def open_model(directory: Path, provider: str | None = None) -> tuple[Vectorizer, Manifest]:
    """Open one model bundle that was just built, outside any release.

    Args:
        directory: the bundle.
        provider: an ONNX Runtime execution provider; by default the best one present.

    Returns:
        The vectorizer and the bundle's manifest.

    Raises:
        BundleError: if the bundle is not what its own manifest says.
    """
    manifest = read_manifest(directory)
    problems = file_problems(directory, manifest)
    if problems:
        raise IntegrityError(str(directory), problems)
    if manifest.kind != "model" or (problems := spec_problems(manifest)):
        raise ConsistencyError(str(directory), problems or [Problem("kind", "model", manifest.kind)])
    return load_vectorizer(directory, manifest, provider), manifest
