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
from rejoinder.parts import VECTORIZER, Kind, part_of
from rejoinder.release.canonical import Digest, digest_file
from rejoinder.release.document import RELEASE, VERDICT, Release, check_runtime
from rejoinder.release.forms import execution_problems, model_file
from rejoinder.release.manifest import Manifest, file_problems, read_manifest
from rejoinder.release.signature import verify_signature
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.release.trust import Trust
from rejoinder.release.vectorizer_spec import VectorizerId, VectorizerSpec
from rejoinder.text import NORMALIZATION_VERSION


@dataclass(frozen=True, slots=True)
class Installed:
    """A release, the folder that holds its signed documents, and the directories that hold its bundles.

    Nothing of it is verified yet.

    Attributes:
        release: which one.
        folder: of its documents.
        bundles: directory of each bundle.
        choices: folder where this machine keeps what runs each model fastest; None if nothing is kept.
    """

    release: Release
    folder: Path
    bundles: Mapping[Kind, Path]
    choices: Path | None = None


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
    if missing := release.bundles.keys() - installed.bundles.keys():
        problems = [Problem(kind, "a directory", "none") for kind in sorted(missing)]
        errors.append(IntegrityError(str(release), problems))
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
    """Check that verified manifests describe parts that belong together.

    Args:
        subject: what is being opened, for messages.
        manifests: by kind.
        pinned: the release's vectorizer.

    Raises:
        ConsistencyError: if any part was made by another vectorizer, is tied to a part that is absent or different,
            or is not what its kind should be; names every part.
    """
    problems = spec_problems(manifests[VECTORIZER.bundle]) if VECTORIZER.bundle in manifests else []
    for kind, manifest in manifests.items():
        if manifest.kind != kind:
            problems.append(Problem(kind, f"a {kind} bundle", f"a {manifest.kind} bundle"))
        if manifest.vectorizer_id != pinned:
            problems.append(Problem(f"{kind} vectorizer_id", pinned, manifest.vectorizer_id))
        problems += _kind_problems(kind, manifest) + _tie_problems(kind, manifest, manifests)
    if problems:
        raise ConsistencyError(subject, problems)


def _kind_problems(kind: Kind, manifest: Manifest) -> list[Problem]:
    """Nothing may ride along, not even if it is never read; and what reads the bundle must be told enough."""
    own, named = part_of(manifest.kind), part_of(kind)
    strange = [name for name in manifest.files if not re.fullmatch(own.files, name)]
    problems = [Problem(f"{kind}/{name}", "no such file in its kind", "a listed file") for name in strange]
    if missing := [key for key in named.facts if key not in manifest.facts]:
        problems.append(Problem(f"{kind} facts", ", ".join(named.facts), f"no {', '.join(missing)}"))
    return problems


def _tie_problems(kind: Kind, manifest: Manifest, manifests: Mapping[Kind, Manifest]) -> list[Problem]:
    """A tie to the vectorizer is its id, which every manifest holds; to another part, that bundle's digest."""
    problems = []
    made_with = manifest.facts.get("ties")
    for tie in (tie for tie in part_of(kind).ties if tie != VECTORIZER.bundle):
        held = made_with.get(tie) if isinstance(made_with, dict) else None
        present = manifests[tie].digest if tie in manifests else None
        may_lack = not part_of(tie).required and not (isinstance(made_with, dict) and tie in made_with)
        if present is None and may_lack:
            continue  # made before that part joined, in a release without it
        if present is None or held != present:
            got = str(held)[:80] if present else "a release without it"
            problems.append(Problem(f"{kind} made with {tie}", present or f"a {tie} bundle", got))
    return problems


def spec_problems(model: Manifest) -> list[Problem]:
    """Check that a model bundle's VectorizerId follows from its own files and this runtime's text code.

    Args:
        model: a verified model manifest.

    Returns:
        What disagrees.
    """
    try:
        spec = VectorizerSpec(**model.facts[VECTORIZER.name])
        expected = {model_file(form): digest for form, digest in spec.weights.items()} | {TOKENIZER: spec.tokenizer}
        problems = execution_problems(model.facts, model.files)
    except (KeyError, TypeError, AttributeError) as error:
        return [
            Problem("model facts", "a vectorizer specification, executions and tolerances", type(error).__name__)
        ]
    if spec.id != model.vectorizer_id:
        problems.append(Problem("model vectorizer_id", spec.id, model.vectorizer_id))
    if spec.normalization != NORMALIZATION_VERSION:
        problems.append(Problem("text normalisation", NORMALIZATION_VERSION, spec.normalization))
    for name, digest in expected.items():
        found = model.files[name].sha256 if name in model.files else "no such file"
        if found != digest:
            problems.append(Problem(f"model/{name}", digest, found))
    return problems
