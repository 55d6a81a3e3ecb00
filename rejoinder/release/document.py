"""The release document: which bundles belong together, who blessed and signed them, who may load them.

Format 2 names the three bundles that every release has; format 3 names others besides. A release is written in the
lowest format that can say it, so that a runtime of before reads every release that it can open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from rejoinder import __version__
from rejoinder.errors import ConsistencyError, FormatError, IntegrityError, Problem
from rejoinder.parts import Kind, in_order, kinds_problem, required_kinds
from rejoinder.release.canonical import (
    Digest,
    canonical_json,
    check_canonical,
    digest_bytes,
    is_digest,
    parse_document,
)
from rejoinder.release.vectorizer_spec import VectorizerId

FORMATS = (2, 3)
RELEASE = "release.json"
VERDICT = "verdict.json"  # lies beside it
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00")
MAX_SERIAL = 2**53 - 1  # what every JSON reader holds exactly


@dataclass(frozen=True, slots=True)
class Blessing:
    """Who judged the bundles good enough, and the digest of what they wrote."""

    by: str
    verdict: Digest


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs: digest of the public key's DER form, and what its owner calls it."""

    key: Digest
    name: str


@dataclass(frozen=True)  # no slots: the digest is computed once, for every answer names it
class Release:
    """Pins its bundles by digest.

    Attributes:
        name: what is released, e.g. "rejoinder".
        serial: strictly increasing over all releases of that name.
        created: UTC time, ISO 8601 to the second.
        expires: UTC time after which a puller takes it no more, ISO 8601 to the second.
        vectorizer_id: the vectorizer that all parts share.
        bundles: bundle digest by kind.
        runtime: lowest and (exclusive) highest runtime version that may load it, "major.minor".
        blessed: who judged it.
        signer: who signs it.
        reissues: the serial whose bundles are released once more; None for a first release.
    """

    name: str
    serial: int
    created: str
    expires: str
    vectorizer_id: VectorizerId
    bundles: Mapping[Kind, Digest]
    runtime: tuple[str, str]
    blessed: Blessing
    signer: Signer
    reissues: int | None = None

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical_json({"format": self.format, **asdict(self)})

    @property
    def format(self) -> int:
        """The lowest format that can name these bundles."""
        return FORMATS[0] if set(self.bundles) == set(required_kinds()) else FORMATS[1]

    @cached_property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return digest_bytes(self.to_bytes())

    @property
    def content(self) -> Digest:
        """Digest of what is released: equal bundles are the same content, whenever and by whichever verdict."""
        return content_digest(self.name, self.bundles)

    @property
    def judged(self) -> dict[Kind, Digest]:
        """The bundles that a build made and the gate judged."""
        return {part.bundle: self.bundles[part.bundle] for part in in_order(self.bundles) if part.judged}

    def has_expired(self, now: datetime) -> bool:
        """Whether its time is over.

        Args:
            now: an aware time.

        Returns:
            True from the second of `expires` on.
        """
        return now >= parse_time(self.expires)

    def __str__(self) -> str:
        return f"{self.name} #{self.serial} ({self.digest[7:19]})"


def content_digest(name: str, bundles: Mapping[Kind, Digest]) -> Digest:
    """Digest of what is released under a name.

    Args:
        name: of the release.
        bundles: bundle digest by kind.

    Returns:
        SHA-256 of the canonical JSON of both.
    """
    return digest_bytes(canonical_json([name, bundles]))


def write_time(time: datetime) -> str:
    """An aware time as releases hold it: UTC, to the second."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def parse_time(text: str) -> datetime:
    """The time that a release holds."""
    return datetime.fromisoformat(text)


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
    document = parse_document(data, subject, *FORMATS)
    fields = {key: value for key, value in document.items() if key != "format"}
    problems = _shape_problems(fields)
    if problems:
        raise FormatError(subject, problems)
    nested = {
        "runtime": tuple(fields["runtime"]),
        "blessed": Blessing(**fields["blessed"]),
        "signer": Signer(**fields["signer"]),
    }
    release = Release(**{**fields, **nested})
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
        ("name", _is_text(fields["name"], _NAME), "letters, digits, '.', '_' and '-'"),
        ("serial", _is_serial(fields["serial"]), "a positive integer"),
        ("created", _is_time(fields["created"]), "a UTC time like 2026-01-31T12:00:00+00:00"),
        ("expires", _is_time(fields["expires"]), "a UTC time like 2026-01-31T12:00:00+00:00"),
        ("vectorizer_id", is_digest(fields["vectorizer_id"]), "sha256:<64 hex digits>"),
        ("runtime", _is_range(fields["runtime"]), 'two versions "major.minor"'),
        ("blessed", _is_named_digest(fields["blessed"], "by", "verdict"), "by and verdict"),
        ("signer", _is_named_digest(fields["signer"], "name", "key"), "name and key"),
        ("reissues", fields["reissues"] is None or _is_serial(fields["reissues"]), "a serial or null"),
    ]
    problems = [Problem(key, wanted, "something else") for key, fine, wanted in checks if not fine]
    if got := _wrong_bundles(fields["bundles"]):
        problems.append(Problem("bundles", f"digests of {', '.join(required_kinds())} and others known here", got))
    return problems


def _is_text(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_serial(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_SERIAL


def _is_time(value: object) -> bool:
    if not _is_text(value, _TIME):
        return False
    try:
        parse_time(str(value))
    except ValueError:  # the 31st of February
        return False
    return True


def _wrong_bundles(value: object) -> str:
    if not isinstance(value, dict) or not all(is_digest(digest) for digest in value.values()):
        return "something else"
    return kinds_problem(value)


def _is_range(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_text(v, _VERSION) for v in value)


def _is_named_digest(value: object, name: str, digest: str) -> bool:
    if not isinstance(value, dict) or set(value) != {name, digest}:
        return False
    return _is_text(value[name], _NAME) and is_digest(value[digest])
