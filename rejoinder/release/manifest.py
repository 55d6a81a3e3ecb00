"""Manifests: which bytes a bundle holds, and which vectorizer made its vectors.

A bundle is a plain directory with a `manifest.json`. The manifest names every file with size and SHA-256, and
carries the VectorizerId of the vectorizer that the bundle holds or was made by. A bundle's digest is the SHA-256
of the manifest's bytes: whoever pins that one digest pins everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rejoinder.errors import FormatError, IntegrityError, Problem
from rejoinder.parts import Kind, kinds
from rejoinder.release.canonical import (
    MAX_MANIFEST_BYTES,
    Digest,
    canonical_json,
    check_canonical,
    digest_bytes,
    digest_file,
    is_digest,
    parse_document,
)
from rejoinder.release.vectorizer_spec import VectorizerId

MANIFEST = "manifest.json"
FORMAT = 1
_SAFE_PATH = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size in bytes and digest of one file."""

    size: int
    sha256: Digest


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parsed manifest of one bundle.

    Attributes:
        kind: what the bundle is.
        vectorizer_id: the vectorizer that it holds or that made its vectors.
        files: every file but the manifest, by path.
        facts: what the kind needs to be read; see docs/bundle-format.md.
    """

    kind: Kind
    vectorizer_id: VectorizerId
    files: Mapping[str, FileEntry]
    facts: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """Canonical JSON; the SHA-256 of these bytes is the bundle's digest."""
        return canonical_json({"format": FORMAT, **asdict(self)})

    @property
    def digest(self) -> Digest:
        """The bundle's digest."""
        return digest_bytes(self.to_bytes())


def write_manifest(directory: Path, kind: Kind, vectorizer_id: VectorizerId, facts: Mapping[str, Any]) -> Manifest:
    """Describe a directory's files as a bundle and write its manifest.

    Args:
        directory: a flat directory holding the bundle's files.
        kind: what the bundle is.
        vectorizer_id: the vectorizer that it holds or was made by.
        facts: JSON values that the kind needs to be read.

    Returns:
        The manifest written.
    """
    paths = sorted(p for p in directory.iterdir() if p.name != MANIFEST)
    files = {p.name: FileEntry(p.stat().st_size, digest_file(p)) for p in paths}
    manifest = Manifest(kind, vectorizer_id, files, facts)
    (directory / MANIFEST).write_bytes(manifest.to_bytes())
    return manifest


def read_manifest(directory: Path, expected: Digest | None = None) -> Manifest:
    """Read a bundle's manifest; its own bytes are checked before they are parsed.

    Args:
        directory: the bundle.
        expected: the pinned digest; None trusts the manifest's bytes (only right after building it).

    Returns:
        The manifest.

    Raises:
        IntegrityError: if the manifest is missing or its digest is not the pinned one.
        FormatError: if it is not a manifest of this format.
    """
    path = directory / MANIFEST
    if path.is_symlink():
        raise IntegrityError(str(directory), [Problem(MANIFEST, "a plain file", "a link")])
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise IntegrityError(
            str(directory), [Problem(MANIFEST, "a readable file", type(error).__name__)]
        ) from error
    if expected is not None and digest_bytes(data) != expected:
        raise IntegrityError(str(directory), [Problem(MANIFEST, expected, digest_bytes(data))])
    return parse_manifest(data, str(path))


def parse_manifest(data: bytes, subject: str) -> Manifest:
    """Parse manifest bytes.

    Args:
        data: canonical JSON.
        subject: where the bytes came from, for messages.

    Returns:
        The manifest.

    Raises:
        FormatError: if the bytes are not a manifest of this format, in canonical form.
    """
    document = parse_document(data, subject, FORMAT)
    problems = _shape_problems(document)
    if problems:
        raise FormatError(subject, problems)
    files = {name: FileEntry(e["size"], e["sha256"]) for name, e in document["files"].items()}
    manifest = Manifest(document["kind"], document["vectorizer_id"], files, document["facts"])
    check_canonical(data, subject, manifest.to_bytes)
    return manifest


def _shape_problems(document: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if document.get("kind") not in kinds():
        problems.append(Problem("kind", " or ".join(kinds()), repr(document.get("kind"))[:40]))
    if not is_digest(document.get("vectorizer_id")):
        problems.append(Problem("vectorizer_id", "sha256:<64 hex digits>", "something else"))
    if not isinstance(document.get("facts"), dict):
        problems.append(Problem("facts", "an object", "something else"))
    files = document.get("files")
    if not isinstance(files, dict) or not files:
        return [*problems, Problem("files", "an object with at least one file", "something else")]
    for number, (name, entry) in enumerate(files.items()):
        if not _SAFE_PATH.fullmatch(name) or name == MANIFEST:
            problems.append(Problem(f"files[{number}]", "a plain lower-case file name", repr(name)[:40]))
        elif not _is_entry(entry):
            problems.append(Problem(name, "a size and a sha256", "something else"))
    return problems


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"size", "sha256"}:
        return False
    return type(entry["size"]) is int and entry["size"] >= 0 and is_digest(entry["sha256"])


def count_problems(facts: Mapping[str, Any], most: Mapping[str, int]) -> list[Problem]:
    """Check facts that must be whole numbers of at least 1.

    Args:
        facts: of a manifest.
        most: the largest that each may be, by name.

    Returns:
        What cannot be right.
    """
    return [
        Problem(f"facts: {name}", f"a number from 1 to {largest}", "something else")
        for name, largest in most.items()
        if not (type(facts.get(name)) is int and 0 < facts[name] <= largest)
    ]


def missing_files(manifest: Manifest, needed: Iterable[str]) -> list[Problem]:
    """Name the files that a bundle lacks."""
    return [Problem(name, "a file of the bundle", "nothing") for name in needed if name not in manifest.files]


def file_problems(directory: Path, manifest: Manifest) -> list[Problem]:
    """Compare a directory's bytes with its manifest, without parsing any of them.

    Args:
        directory: the bundle.
        manifest: what it should hold.

    Returns:
        Every difference: missing, unexpected, resized, changed files and links.
    """
    problems = []
    present = {path.name: path for path in directory.iterdir() if path.name != MANIFEST}
    for name in sorted(present.keys() - manifest.files.keys()):
        problems.append(Problem(name, "no such file", "an unlisted file"))
    for name, entry in manifest.files.items():
        path = present.get(name)
        if path is None or path.is_symlink() or not path.is_file():
            problems.append(Problem(name, "a plain file", "nothing" if path is None else "a link or folder"))
        elif path.stat().st_size != entry.size:
            problems.append(Problem(name, f"{entry.size} bytes", f"{path.stat().st_size} bytes"))
        elif (found := digest_file(path)) != entry.sha256:
            problems.append(Problem(name, entry.sha256, found))
    return problems
