"""Open a release: verify every byte, check that the parts belong together, load, probe. In that order.

No parser sees a byte before its digest has been compared. All problems of a step are collected, then raised once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rejoinder.cache import CachedVectorizer, PhraseCache
from rejoinder.errors import BundleError, ConsistencyError, IntegrityError, ProbeError, Problem
from rejoinder.index import ReplyIndex
from rejoinder.manifest import (
    KINDS,
    Digest,
    Kind,
    Manifest,
    VectorizerId,
    VectorizerSpec,
    file_problems,
    read_manifest,
)
from rejoinder.probes import cache_problems, index_problems, model_problems
from rejoinder.release import Release, check_runtime
from rejoinder.text import NORMALIZATION_VERSION
from rejoinder.vectorizer import FORMS, TOKENIZER, Vectorizer, load_vectorizer, model_file

#: What a manifest of each kind must say for the bundle to be read; see docs/bundle-format.md.
FACTS: Mapping[Kind, tuple[str, ...]] = {
    "model": ("vectorizer", "tolerance"),
    "cache": ("phrases",),
    "index": ("shard_rows", "context_turns", "candidates"),
}


@dataclass(frozen=True, slots=True)
class Installed:
    """A release and the directories that hold its bundles, not yet verified."""

    release: Release
    bundles: Mapping[Kind, Path]


@dataclass(frozen=True, slots=True)
class OpenRelease:
    """A release, proved and loaded."""

    release: Release
    vectorizer: Vectorizer
    encoder: CachedVectorizer
    cache: PhraseCache
    index: ReplyIndex


def open_release(installed: Installed, provider: str | None = None) -> OpenRelease:
    """Prove a release and load it.

    Args:
        installed: the release and its directories.
        provider: an ONNX Runtime execution provider; by default the best one present.

    Returns:
        The loaded release.

    Raises:
        IntegrityError: if any byte differs from what was released.
        FormatError: if a manifest is of a format that this version cannot read.
        ConsistencyError: if parts were made by different vectorizers or do not fit this runtime.
        ProbeError: if this machine computes other vectors than the release holds.
    """
    release = installed.release
    check_runtime(release)
    manifests = verify_bytes(installed)
    verify_consistency(str(release), manifests, release.vectorizer_id)
    vectorizer = load_vectorizer(installed.bundles["model"], manifests["model"], provider)
    cache = PhraseCache(installed.bundles["cache"])
    index = ReplyIndex(installed.bundles["index"], manifests["index"])
    tolerance = float(manifests["model"].facts["tolerance"][vectorizer.provider])
    problems = model_problems(installed.bundles["model"], vectorizer, tolerance)
    problems += cache_problems(cache, vectorizer, release.bundles["cache"], tolerance)
    problems += index_problems(index, vectorizer, release.bundles["index"], tolerance)
    if problems:
        raise ProbeError(str(release), problems)
    return OpenRelease(release, vectorizer, CachedVectorizer(vectorizer, cache), cache, index)


def verify_bytes(installed: Installed) -> dict[Kind, Manifest]:
    """Compare every byte of the three bundles with what the release pins.

    Args:
        installed: the release and its directories.

    Returns:
        The manifests, by kind.

    Raises:
        IntegrityError: if anything differs; names every file.
        FormatError: if a manifest's bytes are right but of a format that this version cannot read.
    """
    manifests: dict[Kind, Manifest] = {}
    problems: list[Problem] = []
    for kind in KINDS:
        try:
            manifests[kind] = verify_bundle(installed.bundles[kind], installed.release.bundles[kind])
        except IntegrityError as error:
            problems += [Problem(f"{kind}/{p.where}", p.expected, p.got) for p in error.problems]
    if problems:
        raise IntegrityError(str(installed.release), problems)
    return manifests


def verify_bundle(directory: Path, digest: Digest) -> Manifest:
    """Compare every byte of one bundle with its pinned digest.

    Args:
        directory: the bundle.
        digest: the digest that the release pins.

    Returns:
        Its manifest.

    Raises:
        IntegrityError: if anything differs; names every file.
    """
    manifest = read_manifest(directory, digest)
    problems = file_problems(directory, manifest)
    if problems:
        raise IntegrityError(str(directory), problems)
    return manifest


def verify_consistency(subject: str, manifests: Mapping[Kind, Manifest], pinned: VectorizerId) -> None:
    """Check that three verified manifests describe parts made by one vectorizer.

    Args:
        subject: what is being opened, for messages.
        manifests: by kind.
        pinned: the release's vectorizer.

    Raises:
        ConsistencyError: if any part disagrees; names every part.
    """
    problems = spec_problems(manifests["model"])
    for kind in KINDS:
        manifest = manifests[kind]
        if manifest.kind != kind:
            problems.append(Problem(kind, f"a {kind} bundle", f"a {manifest.kind} bundle"))
        if manifest.vectorizer_id != pinned:
            problems.append(Problem(f"{kind} vectorizer_id", pinned, manifest.vectorizer_id))
        if missing := [key for key in FACTS[kind] if key not in manifest.facts]:
            problems.append(Problem(f"{kind} facts", ", ".join(FACTS[kind]), f"no {', '.join(missing)}"))
    if problems:
        raise ConsistencyError(subject, problems)


def spec_problems(model: Manifest) -> list[Problem]:
    """Check that a model bundle's VectorizerId follows from its own files and this runtime's text code.

    Args:
        model: a verified model manifest.

    Returns:
        What disagrees.
    """
    try:
        spec = VectorizerSpec(**model.facts["vectorizer"])
        expected = {model_file(form): digest for form, digest in spec.weights.items()} | {TOKENIZER: spec.tokenizer}
        tolerances = [model.facts["tolerance"][p] for p, form in FORMS.items() if form in spec.weights]
    except (KeyError, TypeError, AttributeError) as error:
        return [Problem("model facts", "a vectorizer specification and tolerances", type(error).__name__)]
    problems = []
    if not all(isinstance(tolerance, float) for tolerance in tolerances):
        problems.append(Problem("model facts", "a tolerance for the provider of every form", "something else"))
    if spec.id != model.vectorizer_id:
        problems.append(Problem("model vectorizer_id", spec.id, model.vectorizer_id))
    if spec.normalization != NORMALIZATION_VERSION:
        problems.append(Problem("text normalisation", NORMALIZATION_VERSION, spec.normalization))
    for name, digest in expected.items():
        found = model.files[name].sha256 if name in model.files else "no such file"
        if found != digest:
            problems.append(Problem(f"model/{name}", digest, found))
    return problems


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


__all__ = [
    "BundleError",
    "Installed",
    "OpenRelease",
    "open_model",
    "open_release",
    "verify_bundle",
    "verify_bytes",
]
