"""The release document: which three bundles belong together, and who may load them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rejoinder import __version__
from rejoinder.errors import ConsistencyError, FormatError, IntegrityError, Problem
from rejoinder.manifest import (
    KINDS,
    Digest,
    Kind,
    VectorizerId,
    canonical_json,
    check_canonical,
    digest_bytes,
    is_digest,
    parse_document,
)

FORMAT = 1
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Release:
    """Pins one bundle of each kind by digest.

    Attributes:
        name: what is released, e.g. "rejoinder".
        serial: strictly increasing over all releases of that name.
        created: UTC time, ISO 8601.
        vectorizer_id: the vectorizer all three parts share.
        bundles: bundle digest by kind.
        runtime: lowest and (exclusive) highest runtime version that may load it, "major.minor".
        gate: digest of the gate's verdict that blessed it.
    """

    name: str
    serial: int
    created: str
    vectorizer_id: VectorizerId
    bundles: Mapping[Kind, Digest]
    runtime: tuple[str, str]
    gate: Digest

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical_json({"format": FORMAT, **asdict(self)})

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return digest_bytes(self.to_bytes())

    @property
    def content(self) -> Digest:
        """Digest of what is released: equal bundles are the same release, whenever and by whichever verdict."""
        return digest_bytes(canonical_json([self.name, self.bundles]))

    def __str__(self) -> str:
        return f"{self.name} #{self.serial} ({self.digest[7:19]})"


def read_release(path: Path, expected: Digest) -> Release:
    """Read a release document whose digest is known.

    Args:
        path: the document.
        expected: its pinned digest.

    Returns:
        The release.

    Raises:
        IntegrityError: if the bytes do not have that digest.
        FormatError: if they are not a release of this format.
    """
    data = path.read_bytes()
    if digest_bytes(data) != expected:
        raise IntegrityError(str(path), [Problem(path.name, expected, digest_bytes(data))])
    return parse_release(data, str(path))


def parse_release(data: bytes, subject: str) -> Release:
    """Parse release bytes.

    Args:
        data: canonical JSON.
        subject: where the bytes came from, for messages.

    Returns:
        The release.

    Raises:
        FormatError: if they are not a release of this format, in canonical form.
    """
    document = parse_document(data, subject, FORMAT)
    fields = {key: value for key, value in document.items() if key != "format"}
    problems = _shape_problems(fields)
    if problems:
        raise FormatError(subject, problems)
    release = Release(**{**fields, "runtime": tuple(fields["runtime"])})
    check_canonical(data, subject, release.to_bytes)
    return release


def check_runtime(release: Release, version: str = __version__) -> None:
    """Refuse a release that was not made for this runtime.

    Args:
        release: what is about to be loaded.
        version: the runtime's version.

    Raises:
        ConsistencyError: if the version lies outside the release's range.
    """
    low, high = release.runtime
    if not _parts(low) <= _parts(version) < _parts(high):
        problem = Problem("runtime version", f"at least {low} and below {high}", version)
        raise ConsistencyError(str(release), [problem])


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _shape_problems(fields: Mapping[str, Any]) -> list[Problem]:
    expected = set(Release.__dataclass_fields__)
    if set(fields) != expected:
        wrong = sorted(set(fields) ^ expected)
        return [Problem("keys", "name, serial, created, ...", f"missing or unknown: {', '.join(wrong)[:80]}")]
    checks = [
        ("name", isinstance(fields["name"], str), "a text"),
        ("serial", type(fields["serial"]) is int and fields["serial"] > 0, "a positive integer"),
        ("created", isinstance(fields["created"], str), "an ISO 8601 time"),
        ("vectorizer_id", is_digest(fields["vectorizer_id"]), "sha256:<64 hex digits>"),
        ("bundles", _is_bundles(fields["bundles"]), "a digest for each of " + ", ".join(KINDS)),
        ("runtime", _is_range(fields["runtime"]), 'two versions "major.minor"'),
        ("gate", is_digest(fields["gate"]), "sha256:<64 hex digits>"),
    ]
    return [Problem(key, wanted, "something else") for key, fine, wanted in checks if not fine]


def _is_bundles(value: object) -> bool:
    return isinstance(value, dict) and set(value) == set(KINDS) and all(is_digest(d) for d in value.values())


def _is_range(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    return all(isinstance(v, str) and _VERSION.fullmatch(v) for v in value)
