"""Formats: what was written once is read for ever, or refused by name; and the laws of a release document."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder import openssf
from rejoinder.errors import ConsistencyError, FormatError, IntegrityError
from rejoinder.manifest import Digest, canonical_json, digest_bytes, parse_manifest
from rejoinder.proof import Installed, verify_signer
from rejoinder.release import (
    RELEASE,
    Blessing,
    Release,
    Signer,
    check_runtime,
    parse_release,
    parse_time,
    read_release,
    write_time,
)
from rejoinder.signature import SIGNATURE, verify_signature
from rejoinder.trust import Trust
from tests.bundles import KINDS

FORMATS = Path(__file__).parents[1] / "fixtures" / "formats"
SIGNED_2 = FORMATS / "release-2"
GOLDEN_KEY = Digest("sha256:0f8bc92774925dc5f5e509e3e5b36ce31433b8a124f283dde596145acf746468")
GOLDEN_RELEASE = Digest("sha256:3edadf349ee0dfb7678f9c71fab009054d8a31845b8ef90843bba90de4bfcc48")

_times = st.datetimes(datetime(1970, 1, 1), datetime(9990, 1, 1), timezones=st.just(UTC)).map(write_time)
_digests = st.binary(max_size=4).map(digest_bytes)
_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
_serials = st.integers(1, 2**53 - 1)
_versions = st.from_regex(r"[0-9]{1,4}\.[0-9]{1,4}", fullmatch=True)
_releases = st.builds(
    Release,
    name=_names,
    serial=_serials,
    created=_times,
    expires=_times,
    vectorizer_id=_digests,
    bundles=st.fixed_dictionaries(dict.fromkeys(KINDS, _digests)),
    runtime=st.tuples(_versions, _versions),
    blessed=st.builds(Blessing, by=_names, verdict=_digests),
    signer=st.builds(Signer, key=_digests, name=_names),
    reissues=st.none() | _serials,
)


@pytest.fixture
def golden(tmp_path: Path) -> Trust:
    """A trust folder with the key of the golden release; its private half was thrown away."""
    shutil.copy(FORMATS / "golden.pub", tmp_path)
    return Trust(tmp_path)


def test_a_release_of_format_2_verifies_for_ever(golden: Trust) -> None:
    assert verify_signature(SIGNED_2, golden) == GOLDEN_KEY
    openssf.verify_key(SIGNED_2, SIGNED_2 / SIGNATURE, FORMATS / "golden.pub")
    release = read_release(SIGNED_2 / RELEASE, GOLDEN_RELEASE)
    assert (release.name, release.serial, release.signer.key) == ("rejoinder", 7, GOLDEN_KEY)
    assert (release.created, release.expires) == ("2026-01-31T12:00:00+00:00", "2026-05-01T12:00:00+00:00")
    verify_signer(Installed(release, SIGNED_2, {}), golden)


def test_a_release_of_format_1_is_refused_by_name() -> None:
    path = FORMATS / "release-1" / RELEASE
    with pytest.raises(FormatError) as caught:
        parse_release(path.read_bytes(), "release.json")
    assert [str(problem) for problem in caught.value.problems] == ["format: expected 2 or 3, got 1"]


def test_manifests_of_format_1_are_read_for_ever() -> None:
    found = {kind: (FORMATS / "manifests-1" / f"{kind}.json").read_bytes() for kind in KINDS}
    manifests = {kind: parse_manifest(data, kind) for kind, data in found.items()}
    release = read_release(SIGNED_2 / RELEASE, GOLDEN_RELEASE)
    assert {kind: manifest.kind for kind, manifest in manifests.items()} == {kind: kind for kind in KINDS}
    assert {kind: manifest.digest for kind, manifest in manifests.items()} == release.bundles
    assert {manifest.vectorizer_id for manifest in manifests.values()} == {release.vectorizer_id}


@given(_releases)
def test_a_release_survives_its_own_spelling(release: Release) -> None:
    parsed = parse_release(release.to_bytes(), "r")
    assert parsed == release
    assert parsed.digest == release.digest == digest_bytes(release.to_bytes())


@given(_releases, _releases)
def test_the_content_is_name_and_bundles_alone(one: Release, two: Release) -> None:
    assert replace(two, name=one.name, bundles=one.bundles).content == one.content
    assert (one.content == two.content) == ((one.name, one.bundles) == (two.name, two.bundles))


def document(**changes: Any) -> bytes:
    """The golden document with some fields changed; a field changed to Ellipsis is left out."""
    fields = {**json.loads((SIGNED_2 / RELEASE).read_bytes()), **changes}
    return canonical_json({key: value for key, value in fields.items() if value is not ...})


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", ["", "a b", "../x", ".x", "a" * 129, 7, None]),
        ("serial", [0, -1, 1.0, True, "1", 2**53, None]),
        ("created", ["", "2026-02-31T00:00:00+00:00", "2026-01-01", "2026-01-01T00:00:00Z", 7, "x" * 25]),
        ("expires", ["", "2026-01-01T00:00:00+01:00", "2026-01-01T24:00:01+00:00", None]),
        ("vectorizer_id", ["", "sha256:12", "sha256:" + "A" * 64, "md5:" + "0" * 64, 7]),
        ("bundles", [{}, [], {"model": "sha256:" + "0" * 64}, dict.fromkeys(KINDS, "x")]),
        ("runtime", [[], ["0.1"], ["0.1", "0.2", "0.3"], ["0.1", "1"], "0.1", ["0.1", 2], ["0.1", "12345.1"]]),
        ("blessed", [{}, None, {"by": "gate", "verdict": "x"}, {"by": "a b", "verdict": "sha256:" + "0" * 64}]),
        ("signer", [{}, [], {"key": "x", "name": "x"}, {"key": "sha256:" + "0" * 64, "name": "x", "more": 1}]),
        ("reissues", [0, -1, "1", True, 1.5]),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_named(field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(FormatError) as caught:
            parse_release(document(**{field: value}), "r")
        assert [problem.where for problem in caught.value.problems] == [field], value


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(FormatError) as caught:
        parse_release(document(serial=0, name="", runtime=[]), "r")
    assert [problem.where for problem in caught.value.problems] == ["name", "serial", "runtime"]


@pytest.mark.parametrize("change", [{"gate": "sha256:" + "0" * 64}, {"signer": ...}, {"reissues": ...}])
def test_a_missing_or_unknown_field_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match=next(iter(change))):
        parse_release(document(**change), "r")


@pytest.mark.parametrize("version", [1, 4, True, 2.5, "2", None, ...])
def test_every_other_format_is_refused_by_name(version: Any) -> None:
    with pytest.raises(FormatError, match="format: expected 2 or 3, got"):
        parse_release(document(format=version), "r")


def test_bytes_are_compared_before_they_are_parsed(tmp_path: Path) -> None:
    (tmp_path / RELEASE).write_bytes(b"no JSON")
    with pytest.raises(IntegrityError, match=GOLDEN_RELEASE):
        read_release(tmp_path / RELEASE, GOLDEN_RELEASE)
    with pytest.raises(FormatError):
        read_release(tmp_path / RELEASE, digest_bytes(b"no JSON"))


@pytest.mark.parametrize(
    ("version", "fits"), [("0.0.9", False), ("0.1.0", True), ("0.9.99", True), ("0.10.0", False), ("1.0.0", False)]
)
def test_the_runtime_range_is_compared_by_number(version: str, fits: bool) -> None:
    release = replace(parse_release(document(), "r"), runtime=("0.1", "0.10"))
    if fits:
        check_runtime(release, version)
        return
    with pytest.raises(ConsistencyError, match=r"runtime version: expected at least 0\.1 and below 0\.10"):
        check_runtime(release, version)


@given(_releases, st.integers(-2, 2))
def test_a_release_has_expired_from_its_second_on(release: Release, seconds: int) -> None:
    now = parse_time(release.expires) + timedelta(seconds=seconds)
    assert release.has_expired(now) == (seconds >= 0)


@given(st.datetimes(datetime(1971, 1, 1), datetime(9990, 1, 1)), st.integers(-14, 14))
def test_a_time_is_written_in_utc_and_read_as_the_same_moment(time: datetime, hours: int) -> None:
    aware = time.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert parse_time(write_time(aware)) == aware.replace(microsecond=0)
    assert write_time(aware).endswith("+00:00")
