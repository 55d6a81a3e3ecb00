"""Laws of manifests and release documents."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.errors import FormatError, IntegrityError
from rejoinder.release.canonical import canonical_json, digest_bytes
from rejoinder.release.document import parse_release
from rejoinder.release.manifest import FileEntry, Manifest, file_problems, parse_manifest, read_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.vectorizer_spec import VectorizerId
from tests.bundles import KINDS

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_json = st.recursive(_scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3))
_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_digests = st.binary(max_size=4).map(digest_bytes)
_names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True).filter(lambda name: name != "manifest.json")
_manifests = st.builds(
    Manifest,
    kind=st.sampled_from(KINDS),
    vectorizer_id=_digests.map(VectorizerId),
    files=st.dictionaries(_names, st.builds(FileEntry, st.integers(0, 1 << 40), _digests), min_size=1, max_size=4),
    facts=st.dictionaries(st.text(), _plain | st.lists(_plain), max_size=4),
)
_EXAMPLE: dict[str, Any] = {
    "format": 1,
    "kind": "cache",
    "vectorizer_id": digest_bytes(b"v"),
    "files": {"keys.npy": {"size": 3, "sha256": digest_bytes(b"k")}},
    "facts": {"phrases": 1},
}


@given(_manifests)
def test_a_manifest_survives_its_own_spelling(manifest: Manifest) -> None:
    parsed = parse_manifest(manifest.to_bytes(), "m")
    assert parsed == manifest
    assert parsed.digest == manifest.digest


@given(st.binary() | _json.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes_are_no_document(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_manifest(data, "m")
    with pytest.raises(FormatError):
        parse_release(data, "r")


@given(st.sampled_from([*_EXAMPLE, "extra"]), _json)
def test_a_changed_manifest_is_refused_or_read_exactly(key: str, value: Any) -> None:
    data = (json.dumps({**_EXAMPLE, key: value}, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode(
        errors="surrogatepass"
    )
    try:
        manifest = parse_manifest(data, "m")
    except FormatError:
        return
    assert manifest.to_bytes() == data


@given(st.sampled_from(["name", "serial", "created", "vectorizer_id", "bundles", "runtime", "gate"]), _json)
def test_a_changed_release_is_refused_or_read_exactly(pristine: Installed, key: str, value: Any) -> None:
    document = {**json.loads(pristine.release.to_bytes()), key: value}
    data = (json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()
    try:
        release = parse_release(data, "r")
    except FormatError:
        return
    assert release.to_bytes() == data


@pytest.mark.parametrize(
    "facts", ['{"x": NaN}', '{"x": "\\ud83d"}', '{"x": 1e999}', '{"x": ' + "[" * 900 + "]" * 900 + "}"]
)
def test_values_that_have_no_canonical_form_are_refused(facts: str) -> None:
    data = json.dumps({**_EXAMPLE, "facts": None}).replace("null", facts).encode()
    with pytest.raises(FormatError):
        parse_manifest(data, "m")


@pytest.mark.parametrize("name", ["../model.onnx", "a/b", "/etc/passwd", "manifest.json", "A.npy", "", ".hidden"])
def test_a_manifest_cannot_name_a_file_elsewhere(name: str) -> None:
    document = {**_EXAMPLE, "files": {name: {"size": 1, "sha256": digest_bytes(b"")}}}
    with pytest.raises(FormatError):
        parse_manifest(canonical_json(document), "m")


def test_another_spelling_of_the_same_value_is_refused() -> None:
    with pytest.raises(FormatError, match="canonical"):
        parse_manifest(json.dumps(_EXAMPLE).encode(), "m")
    assert parse_manifest(canonical_json(_EXAMPLE), "m").facts == {"phrases": 1}


def test_all_differences_are_found_at_once(mine: Installed) -> None:
    cache = mine.bundles["cache"]
    manifest = read_manifest(cache)
    (cache / "keys.npy").unlink()
    (cache / "phrases.txt").write_text("short")
    (cache / "extra").mkdir()
    assert {problem.where for problem in file_problems(cache, manifest)} == {"keys.npy", "phrases.txt", "extra"}


def test_a_missing_bundle_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        read_manifest(tmp_path / "nowhere")


def test_the_documented_examples_are_real() -> None:
    text = (Path(__file__).parents[3] / "docs" / "bundle-format.md").read_text(encoding="utf-8")
    index, release = (block.encode() for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    assert parse_release(release, "r").bundles["index"] == parse_manifest(index, "m").digest
