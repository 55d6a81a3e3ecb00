"""What was seen: serials only rise, expired releases stay out, and a memory that cannot be read is never empty."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.pull.freshness import CLOCK_SKEW, STATE, Seen, check_fresh, now, read_freshness, record
from rejoinder.errors import FreshnessError, StoreError
from rejoinder.release.document import Release, parse_time, write_time
from rejoinder.release.proof import Installed
from rejoinder.release.trust import Trust


def reasons(release: Release, alias: str | None, trust: Trust) -> list[str]:
    """Where a release is found not fresh."""
    try:
        check_fresh(release, alias, trust)
    except FreshnessError as error:
        return [problem.where for problem in error.problems]
    return []


@pytest.fixture
def release(pristine: Installed) -> Release:
    return replace(pristine.release, serial=5)


def test_what_was_recorded_is_seen(release: Release, trust: Trust) -> None:
    assert read_freshness(trust) == {}
    record(release, "champion", trust)
    seen = read_freshness(trust)
    assert list(seen) == ["rejoinder@champion"]
    found = seen["rejoinder@champion"]
    assert (found.serial, found.release, found.key) == (5, release.digest, release.signer.key)
    assert abs(parse_time(found.at) - now()) < timedelta(minutes=5)


def test_an_older_serial_is_refused_under_the_same_alias_and_name_alone(release: Release, trust: Trust) -> None:
    record(release, "champion", trust)
    older = replace(release, serial=4)
    assert reasons(older, "champion", trust) == ["serial"]
    assert reasons(older, "challenger", trust) == []
    assert reasons(replace(older, name="other"), "champion", trust) == []
    assert reasons(older, None, trust) == []  # a person has named the serial
    assert reasons(release, "champion", trust) == []
    assert reasons(replace(release, serial=6), "champion", trust) == []


def test_another_release_with_the_same_serial_is_refused(release: Release, trust: Trust) -> None:
    record(release, "champion", trust)
    twin = replace(release, expires="2098-01-01T00:00:00+00:00")
    assert reasons(twin, "champion", trust) == ["release #5"]


def test_all_reasons_are_given_at_once(release: Release, trust: Trust) -> None:
    record(release, "champion", trust)
    future, past = write_time(now() + timedelta(days=9)), write_time(now() - timedelta(days=9))
    bad = replace(release, serial=4, created=future, expires=past)
    assert reasons(bad, "champion", trust) == ["expires", "created", "serial"]


@given(st.integers(-400, 400), st.integers(-400, 400))
def test_a_release_is_good_from_a_day_before_its_making_until_it_expires(
    pristine: Installed, made: int, ends: int
) -> None:
    minute = timedelta(minutes=10)  # that a slow test takes
    time = now()
    release = replace(
        pristine.release,
        created=write_time(time + CLOCK_SKEW + made * minute),
        expires=write_time(time + ends * minute),
    )
    found = reasons(release, None, Trust(Path("nowhere")))
    if abs(ends) > 0:
        assert ("expires" in found) == (ends < 0)
    if abs(made) > 0:
        assert ("created" in found) == (made > 0)


def test_an_expired_release_is_refused_whoever_asks(release: Release, trust: Trust) -> None:
    expired = replace(release, expires="2026-01-02T00:00:00+00:00", created="2026-01-01T00:00:00+00:00")
    assert reasons(expired, None, trust) == ["expires"]
    assert reasons(expired, "champion", trust) == ["expires"]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_the_memory_holds_the_highest_serial_whatever_the_order(
    tmp_path_factory: pytest.TempPathFactory, pristine: Installed, serials: list[int]
) -> None:
    trust = Trust(tmp_path_factory.mktemp("trust"))
    for serial in serials:
        record(replace(pristine.release, serial=serial), "champion", trust)
    assert read_freshness(trust)["rejoinder@champion"].serial == max(serials)


def test_what_is_recorded_leaves_the_rest_alone(release: Release, trust: Trust) -> None:
    record(release, "champion", trust)
    record(replace(release, name="other"), "champion", trust)
    record(release, "challenger", trust)
    record(release, None, trust)
    assert sorted(read_freshness(trust)) == ["other@champion", "rejoinder@challenger", "rejoinder@champion"]
    assert all(isinstance(value, Seen) for value in read_freshness(trust).values())


def test_a_wiped_memory_lets_an_older_release_in_until_it_expires(release: Release, trust: Trust) -> None:
    record(release, "champion", trust)
    (trust.root / STATE).unlink()
    assert reasons(replace(release, serial=4), "champion", trust) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"{}", b"null", b'{"format": 1, "seen": {}}', b'{"format": 2}', b'{"format": 2, "seen": 7}',
     b'{"format": 2, "seen": {"a@b": {}}}', b'{"format": 2, "seen": {"a@b": 7}}', b"\xff"],
)  # fmt: skip
def test_a_memory_that_cannot_be_read_is_never_taken_for_empty(release: Release, trust: Trust, data: bytes) -> None:
    (trust.root / STATE).write_bytes(data)
    for action in (check_fresh, record):
        with pytest.raises(StoreError, match=r"state\.json: expected what this machine has seen.*Next:"):
            action(release, "champion", trust)
    assert (trust.root / STATE).read_bytes() == data


def test_a_serial_that_was_changed_on_the_disk_is_not_believed(release: Release, trust: Trust) -> None:
    record(release, "champion", trust)
    whole = (trust.root / STATE).read_bytes()
    (trust.root / STATE).write_bytes(whole.replace(b'"serial": 5', b'"serial": 1'))
    with pytest.raises(StoreError, match="canonical JSON"):
        check_fresh(replace(release, serial=4), "champion", trust)


def test_the_memory_is_replaced_whole(release: Release, trust: Trust) -> None:
    record(release, "champion", trust)
    before = (trust.root / STATE).read_bytes()
    (trust.root / f".{STATE}.part").write_bytes(b"half of wh")  # a crash has left it
    record(replace(release, serial=6), "champion", trust)
    assert json.loads((trust.root / STATE).read_bytes())["seen"]["rejoinder@champion"]["serial"] == 6
    assert (trust.root / STATE).read_bytes() != before
    assert not (trust.root / f".{STATE}.part").exists()
