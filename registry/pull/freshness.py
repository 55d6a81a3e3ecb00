"""Freshness: what this machine has seen, so that an old release, however well signed, is not taken for today's.

The rules are those of The Update Framework for its timestamp role: a serial that only rises, an expiry, and a
memory outside everything that is pulled (`TRUST/state.json`). With that file wiped, the expiry is the only guard
that is left; docs/threat-model.md says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from rejoinder.atomic import write_bytes
from rejoinder.errors import BundleError, FreshnessError, Problem, StoreError
from rejoinder.release.canonical import (
    Digest,
    canonical_json,
    check_canonical,
    digest_bytes,
    is_digest,
    parse_document,
)
from rejoinder.release.document import MAX_SERIAL, Release, parse_time, write_time
from rejoinder.release.trust import Trust

STATE = "state.json"
FORMAT = 2
#: How far clocks may lie apart.
CLOCK_SKEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest release that was seen under an alias.

    Attributes:
        serial: of the release.
        release: its digest.
        key: id of the key that signed it.
        at: UTC time of the pull, ISO 8601.
    """

    serial: int
    release: Digest
    key: Digest
    at: str


def now() -> datetime:
    """The time of this machine's clock, UTC."""
    return datetime.now(UTC)


def check_fresh(release: Release, alias: str | None, trust: Trust) -> None:
    """Refuse a release that is not today's.

    Args:
        release: its signature has been verified.
        alias: under which it was found; None if a person named its serial, which is then their own decision.
        trust: where the memory is.

    Raises:
        FreshnessError: if it has expired, is from the future, or is older than what was seen under that alias.
        StoreError: if the memory cannot be read.
    """
    time = now()
    problems = []
    if release.has_expired(time):
        problems.append(
            Problem("expires", f"a time after this machine's clock, {write_time(time)}", release.expires)
        )
    if parse_time(release.created) > time + CLOCK_SKEW:
        problems.append(
            Problem("created", f"at most a day after this machine's clock, {write_time(time)}", release.created)
        )
    seen = read_freshness(trust).get(_key(release.name, alias)) if alias else None
    if seen and release.serial < seen.serial:
        problems.append(
            Problem("serial", f"at least {seen.serial}, which was seen on {seen.at}", str(release.serial))
        )
    if seen and release.serial == seen.serial and release.digest != seen.release:
        problems.append(Problem(f"release #{seen.serial}", seen.release, f"{release.digest}, with the same serial"))
    if problems:
        raise FreshnessError(str(release), problems)


def record(release: Release, alias: str | None, trust: Trust) -> None:
    """Remember a release that was installed.

    Args:
        release: what was installed.
        alias: under which it was found; None is not remembered.
        trust: where the memory is.
    """
    if alias is None:
        return
    with _locked(trust):
        seen = read_freshness(trust)
        before = seen.get(_key(release.name, alias))
        if before is not None and before.serial >= release.serial:
            return
        seen[_key(release.name, alias)] = Seen(
            release.serial, release.digest, release.signer.key, write_time(now())
        )
        write_bytes(trust.root / STATE, _to_bytes(seen), partial=trust.root / f".{STATE}.part")


def read_freshness(trust: Trust) -> dict[str, Seen]:
    """Everything that was seen.

    Args:
        trust: where the memory is.

    Returns:
        By `<name>@<alias>`.

    Raises:
        StoreError: if the memory is there but cannot be read; it is never taken for empty.
    """
    path = trust.root / STATE
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (BundleError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        got = error.problems[0] if isinstance(error, BundleError) else type(error).__name__
        raise StoreError(
            f"{path}: expected what this machine has seen so far, got {got}. Next: bring it back "
            "from a backup; or remove it, which lets older releases in once, and pull"
        ) from None


def _parse(data: bytes) -> dict[str, Seen]:
    """Believe only what `record` has written: a flipped bit in a serial would open a way back."""
    document = parse_document(data, STATE, FORMAT)
    seen = {key: Seen(**value) for key, value in document["seen"].items()}
    for one in seen.values():
        fine = type(one.serial) is int and 0 < one.serial <= MAX_SERIAL
        if not fine or not is_digest(one.release) or not is_digest(one.key):
            raise ValueError("a serial and two digests")
        parse_time(one.at)
    check_canonical(data, STATE, lambda: _to_bytes(seen))
    return seen


def _to_bytes(seen: Mapping[str, Seen]) -> bytes:
    found = {key: asdict(value) for key, value in seen.items()}
    return canonical_json({"format": FORMAT, "seen": found, "sha256": digest_bytes(canonical_json(found))})


@contextmanager
def _locked(trust: Trust) -> Iterator[None]:
    from filelock import FileLock

    trust.root.mkdir(parents=True, exist_ok=True)
    with FileLock(trust.root / f".{STATE}.lock"):
        yield


def _key(name: str, alias: str) -> str:
    return f"{name}@{alias}"
