"""Prove a release, parsing no more than our own JSON: its signature, its bytes, that its parts belong together.

Nothing here imports numpy, ONNX Runtime or FAISS: what is not proved never comes near them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rejoinder.errors import BundleError, ConsistencyError, FormatError, IntegrityError, Problem, SignatureError
from rejoinder.layout import FORMS, TOKENIZER, model_file
from rejoinder.manifest import (
    Digest,
    Kind,
    Manifest,
    VectorizerId,
    VectorizerSpec,
    digest_file,
    file_problems,
    read_manifest,
)
from rejoinder.release import RELEASE, VERDICT, Release, check_runtime
from rejoinder.signature import verify_signature
from rejoinder.text import NORMALIZATION_VERSION
from rejoinder.trust import Trust

#: What a manifest of each kind must say for the bundle to be read; see docs/bundle-format.md.
FACTS: Mapping[Kind, tuple[str, ...]] = {
    "model": ("vectorizer", "tolerance"),
    "cache": ("phrases",),
    "index": ("shard_rows", "context_turns", "candidates"),
}


#: Names of the files that a bundle of each kind may hold.
FILES: Mapping[Kind, re.Pattern[str]] = {
    "model": re.compile(r"model\.[a-z0-9]+\.onnx|tokenizer\.json|probes\.(json|npy)"),
    "cache": re.compile(r"(keys|vectors)\.npy|phrases\.txt"),
    "index": re.compile(r"shard-[0-9]{3,}\.faiss|replies\.jsonl"),
}


@dataclass(frozen=True, slots=True)
class Installed:
    """A release, the folder that holds its signed documents, and the directories that hold its bundles.

    Nothing of it is verified yet.
    """

    release: Release
    folder: Path
    bundles: Mapping[Kind, Path]


def prove(installed: Installed, trust: Trust | None = None) -> dict[Kind, Manifest]:
    """Check everything that can be checked without parsing more than our own JSON documents.

    Signature, runtime version, every byte, and that all parts were made by one vectorizer: all problems are
    reported together.

    Args:
        installed: the release and its directories.
        trust: whom this machine believes; by default `Trust.default()`.

    Returns:
        The manifests, by kind.

    Raises:
        BundleError: of the class of the gravest problem, with all problems found.
    """
    release = installed.release
    errors: list[BundleError] = []
    with _collecting(errors):
        verify_signer(installed, trust or Trust.default())
    manifests = _verified_manifests(str(release), installed.bundles, release.bundles, errors)
    with _collecting(errors):
        check_runtime(release)
    with _collecting(errors):
        verify_consistency(str(release), manifests, release.vectorizer_id)
    if errors:
        raise BundleError.all_of(str(release), errors)
    return manifests


@contextmanager
def _collecting(errors: list[BundleError]) -> Iterator[None]:
    try:
        yield
    except BundleError as error:
        errors.append(error)


def verify_signer(installed: Installed, trust: Trust) -> None:
    """Check that a release is signed, by the key that its document names.

    Args:
        installed: the release.
        trust: whom this machine believes.

    Raises:
        SignatureError: if it is not signed by a trusted key, or by another one than it names.
        IntegrityError: if a signed file was changed, or the documents are another release's.
    """
    release, folder = installed.release, installed.folder
    key = verify_signature(folder, trust)
    if key != release.signer.key:
        raise SignatureError(str(release), [Problem("signer", release.signer.key, key)])
    found = {name: digest_file(folder / name) for name in (RELEASE, VERDICT)}
    expected = {RELEASE: release.digest, VERDICT: release.blessed.verdict}
    problems = [Problem(name, expected[name], found[name]) for name in found if found[name] != expected[name]]
    if problems:
        raise IntegrityError(str(release), problems)


def verify_bytes(subject: str, bundles: Mapping[Kind, Path], pinned: Mapping[Kind, Digest]) -> dict[Kind, Manifest]:
    """Compare every byte of some bundles with their pinned digests.

    Args:
        subject: what they belong to, for messages.
        bundles: directories by kind; those that are given are compared.
        pinned: digests by kind.

    Returns:
        The manifests, by kind.

    Raises:
        BundleError: IntegrityError if anything differs, naming every file; FormatError if a manifest's bytes are
            right but of a format that this version cannot read.
    """
    errors: list[BundleError] = []
    manifests = _verified_manifests(subject, bundles, pinned, errors)
    if errors:
        raise BundleError.all_of(subject, errors)
    return manifests


def _verified_manifests(
    subject: str, bundles: Mapping[Kind, Path], pinned: Mapping[Kind, Digest], errors: list[BundleError]
) -> dict[Kind, Manifest]:
    manifests: dict[Kind, Manifest] = {}
    for kind, directory in bundles.items():
        try:
            manifests[kind] = verify_bundle(directory, pinned[kind])
        except (IntegrityError, FormatError) as error:
            problems = [Problem(f"{kind}/{p.where}", p.expected, p.got) for p in error.problems]
            errors.append(type(error)(subject, problems))
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
    """Check that verified manifests describe parts made by one vectorizer.

    Args:
        subject: what is being opened, for messages.
        manifests: by kind.
        pinned: the release's vectorizer.

    Raises:
        ConsistencyError: if any part disagrees; names every part.
    """
    problems = spec_problems(manifests["model"]) if "model" in manifests else []
    for kind, manifest in manifests.items():
        if manifest.kind != kind:
            problems.append(Problem(kind, f"a {kind} bundle", f"a {manifest.kind} bundle"))
        if manifest.vectorizer_id != pinned:
            problems.append(Problem(f"{kind} vectorizer_id", pinned, manifest.vectorizer_id))
        problems += [
            Problem(f"{kind}/{name}", "no such file in its kind", "a listed file") for name in _strange(manifest)
        ]
        if missing := [key for key in FACTS[kind] if key not in manifest.facts]:
            problems.append(Problem(f"{kind} facts", ", ".join(FACTS[kind]), f"no {', '.join(missing)}"))
    if problems:
        raise ConsistencyError(subject, problems)


def _strange(manifest: Manifest) -> list[str]:
    """Files that a bundle of this kind does not hold: nothing may ride along, not even if it is never read."""
    return [name for name in manifest.files if not FILES[manifest.kind].fullmatch(name)]


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
