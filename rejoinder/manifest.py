"""Manifests: which bytes a bundle holds, and which vectorizer made its vectors.

A bundle is a plain directory with a `manifest.json`. The manifest names every file with size and SHA-256, and
carries the VectorizerId of the vectorizer that the bundle holds or was made by. A bundle's digest is the SHA-256
of the manifest's bytes: whoever pins that one digest pins everything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NewType, cast

from rejoinder.errors import FormatError, IntegrityError, Problem
from rejoinder.parts import Kind, kinds

Digest = NewType("Digest", str)
VectorizerId = NewType("VectorizerId", str)

MANIFEST = "manifest.json"
FORMAT = 1
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SAFE_PATH = re.compile(r"[a-z0-9][a-z0-9._-]*")
_MAX_MANIFEST_BYTES = 1 << 20  # 1 MiB: ours hold about 2 KiB


@dataclass(frozen=True, slots=True)
class VectorizerSpec:
    """Everything that decides which vector a text gets.

    Attributes:
        weights: SHA-256 of each ONNX form, by form name.
        tokenizer: SHA-256 of tokenizer.json.
        normalization: `rejoinder.text.NORMALIZATION_VERSION`.
        pooling: how token vectors become one vector.
        output: how that vector is scaled.
        dim: length of a vector.
        dtype: type of the vectors handed out.
        max_length: tokens read of a text, special tokens counted; longer texts lose their beginning.
        opset: ONNX operator set.
    """

    weights: Mapping[str, str]
    tokenizer: str
    normalization: str
    pooling: str
    output: str
    dim: int
    dtype: str
    max_length: int
    opset: int

    @property
    def id(self) -> VectorizerId:
        """Digest over all fields."""
        return VectorizerId(digest_bytes(canonical_json(asdict(self))))


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


def canonical_json(value: object) -> bytes:
    """Encode as UTF-8 JSON with sorted keys, two-space indent and a final newline: one value, one byte string."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def digest_bytes(data: bytes) -> Digest:
    """SHA-256 of bytes, as `sha256:<hex>`."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def digest_file(path: Path) -> Digest:
    """SHA-256 of a file's bytes, as `sha256:<hex>`."""
    with path.open("rb") as file:
        return Digest("sha256:" + hashlib.file_digest(file, "sha256").hexdigest())


def is_digest(value: object) -> bool:
    """Whether a value is written as `sha256:<64 hex digits>`."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


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
            data = file.read(_MAX_MANIFEST_BYTES + 1)
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


def check_canonical(data: bytes, subject: str, encode: Callable[[], bytes]) -> None:
    """Refuse bytes that are not the one spelling of what was parsed from them.

    Catches duplicate keys, unknown fields and other spellings of the same value in one rule.

    Args:
        data: the bytes that were parsed.
        subject: where they came from, for messages.
        encode: spells the parsed value.

    Raises:
        FormatError: if the spelling is another.
    """
    try:
        same = encode() == data
    except (ValueError, RecursionError):  # NaN, half of a surrogate pair, endless nesting
        same = False
    if not same:
        raise FormatError(subject, [Problem("encoding", "canonical JSON", "another spelling")])


def parse_document(data: bytes, subject: str, *formats: int) -> dict[str, Any]:
    """Parse JSON bytes into an object of a known format.

    Args:
        data: UTF-8 JSON.
        subject: where the bytes came from, for messages.
        *formats: the values of its `format` key that can be read, oldest first.

    Returns:
        The object.

    Raises:
        FormatError: if it is not a JSON object, or of another format.
    """
    if len(data) > _MAX_MANIFEST_BYTES:
        raise FormatError(subject, [Problem("size", f"at most {_MAX_MANIFEST_BYTES} bytes", "more")])
    try:
        document = json.loads(data, parse_int=_exact)
    except (ValueError, RecursionError) as error:
        raise FormatError(subject, [Problem("encoding", "UTF-8 JSON", type(error).__name__)]) from error
    found = document.get("format") if isinstance(document, dict) else None
    if found not in formats or isinstance(found, bool):
        shown = str(found)[:40] if isinstance(found, int | str) else "something else"  # not what nests without end
        raise FormatError(subject, [Problem("format", " or ".join(map(str, formats)), shown)])
    return cast(dict[str, Any], document)


def parse_clearly(data: bytes, subject: str) -> Any:
    """Parse JSON that means the same to every reader, or not at all; for documents that have no canonical form.

    Args:
        data: UTF-8 JSON without a byte order mark.
        subject: where the bytes came from, for messages.

    Returns:
        The value.

    Raises:
        FormatError: if it is no JSON, a key stands twice, a number is no finite one, or a text is no Unicode.
    """
    try:
        found = json.loads(data.decode(), object_pairs_hook=_unique, parse_int=_exact)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise FormatError(
            subject, [Problem("encoding", "JSON that can be read in one way only", type(error).__name__)]
        ) from None
    return found


def _exact(text: str) -> int:
    """Refuse numbers that no size, count or figure needs: arithmetic on them may overflow later."""
    number = int(text)
    if abs(number) >= 2**128:
        raise ValueError("a number out of range")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


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
