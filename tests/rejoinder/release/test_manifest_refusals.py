"""Manifests that are refused: by name, with what was expected and what was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rejoinder.errors import FormatError, IntegrityError
from rejoinder.parts import kinds
from rejoinder.release.canonical import (
    canonical_json,
    check_canonical,
    digest_bytes,
    digest_file,
    is_digest,
    parse_clearly,
    parse_document,
)
from rejoinder.release.manifest import (
    MANIFEST,
    Manifest,
    file_problems,
    parse_manifest,
    read_manifest,
    write_manifest,
)
from rejoinder.release.proof import Installed
from rejoinder.release.vectorizer_spec import VectorizerId

MIB = 1 << 20
ENTRY = {"size": 3, "sha256": digest_bytes(b"k")}
GOOD: dict[str, Any] = {
    "format": 1,
    "kind": "cache",
    "vectorizer_id": digest_bytes(b"v"),
    "files": {"keys.npy": ENTRY},
    "facts": {"phrases": 1},
}


def refusals(data: bytes) -> list[str]:
    """Why manifest bytes are refused."""
    with pytest.raises(FormatError) as caught:
        parse_manifest(data, "the subject")
    assert str(caught.value).startswith("the subject: not a readable bundle document")
    return [str(problem) for problem in caught.value.problems]


def refused(**changes: Any) -> list[str]:
    """Why the good manifest is refused with some fields changed; those changed to Ellipsis are left out."""
    return refusals(canonical_json({k: v for k, v in {**GOOD, **changes}.items() if v is not ...}))


def test_digests_and_spelling_are_those_of_the_format() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_bytes(b"") == f"sha256:{empty}"
    assert canonical_json({"b": "ü", "a": [1]}) == '{\n  "a": [\n    1\n  ],\n  "b": "ü"\n}\n'.encode()
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


@pytest.mark.parametrize(
    "value", ["sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:" + "G" * 64, "0" * 64, 7, None]
)
def test_what_is_no_digest(value: object) -> None:
    assert not is_digest(value)
    assert is_digest("sha256:" + "0" * 64)


KINDS = " or ".join(kinds())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kind": "router"}, f"kind: expected {KINDS}, got 'router'"),
        ({"kind": ...}, f"kind: expected {KINDS}, got None"),
        ({"kind": "x" * 99}, f"kind: expected {KINDS}, got '" + "x" * 39),
        ({"vectorizer_id": "sha256:"}, "vectorizer_id: expected sha256:<64 hex digits>, got something else"),
        ({"vectorizer_id": ...}, "vectorizer_id: expected sha256:<64 hex digits>, got something else"),
        ({"facts": []}, "facts: expected an object, got something else"),
        ({"facts": ...}, "facts: expected an object, got something else"),
        ({"files": {}}, "files: expected an object with at least one file, got something else"),
        ({"files": []}, "files: expected an object with at least one file, got something else"),
        ({"files": ...}, "files: expected an object with at least one file, got something else"),
        ({"files": {"A": ENTRY}}, "files[0]: expected a plain lower-case file name, got 'A'"),
        ({"files": {"a/b": ENTRY}}, "files[0]: expected a plain lower-case file name, got 'a/b'"),
        ({"files": {MANIFEST: ENTRY}}, "files[0]: expected a plain lower-case file name, got 'manifest.json'"),
        ({"files": {"a": ENTRY, "b ": ENTRY}}, "files[1]: expected a plain lower-case file name, got 'b '"),
        ({"files": {"A" * 99: ENTRY}}, "files[0]: expected a plain lower-case file name, got '" + "A" * 39),
        ({"files": {"a": []}}, "a: expected a size and a sha256, got something else"),
        ({"files": {"a": {**ENTRY, "more": 1}}}, "a: expected a size and a sha256, got something else"),
        ({"files": {"a": {"size": 1}}}, "a: expected a size and a sha256, got something else"),
        ({"files": {"a": {**ENTRY, "size": -1}}}, "a: expected a size and a sha256, got something else"),
        ({"files": {"a": {**ENTRY, "size": True}}}, "a: expected a size and a sha256, got something else"),
        ({"files": {"a": {**ENTRY, "size": 1.0}}}, "a: expected a size and a sha256, got something else"),
        ({"files": {"a": {**ENTRY, "sha256": "x"}}}, "a: expected a size and a sha256, got something else"),
        ({"format": 2}, "format: expected 1, got 2"),
        ({"format": True}, "format: expected 1, got True"),
        ({"format": ...}, "format: expected 1, got something else"),
        ({"format": "9" * 99}, "format: expected 1, got " + "9" * 40),
        ({"more": 1}, "encoding: expected canonical JSON, got another spelling"),
    ],
)
def test_each_wrong_field_is_named(changes: dict[str, Any], problem: str) -> None:
    assert refused(**changes) == [problem]


def test_all_wrong_fields_are_named_at_once() -> None:
    found = refused(kind="x", vectorizer_id="x", facts=1, files={"A": ENTRY, "b": 1})
    assert [problem.split(":")[0] for problem in found] == ["kind", "vectorizer_id", "facts", "files[0]", "b"]
    found = refused(kind="x", vectorizer_id="x", facts=1, files=1)
    assert [problem.split(":")[0] for problem in found] == ["kind", "vectorizer_id", "facts", "files"]


def test_a_file_of_no_bytes_is_fine() -> None:
    files = {"empty": {"size": 0, "sha256": digest_bytes(b"")}}
    assert parse_manifest(canonical_json({**GOOD, "files": files}), "m").files["empty"].size == 0


@pytest.mark.parametrize(
    ("data", "got"),
    [(b"", "JSONDecodeError"), (b"{", "JSONDecodeError"), (b"\xff{}", "UnicodeDecodeError"),
     (b"[" * 200_000, "RecursionError")],
)  # fmt: skip
def test_what_is_no_json_is_said_so(data: bytes, got: str) -> None:
    assert refusals(data) == [f"encoding: expected UTF-8 JSON, got {got}"]


def test_a_document_of_another_type_has_no_format() -> None:
    for data in (b"[]", b"null", b"7", b'"text"'):
        assert refusals(data) == ["format: expected 1, got something else"]


def test_a_document_may_have_one_mebibyte_and_no_more() -> None:
    facts = {"x": ""}
    room = MIB - len(canonical_json({**GOOD, "facts": facts}))
    largest = canonical_json({**GOOD, "facts": {"x": "y" * room}})
    assert parse_manifest(largest, "m").digest == digest_bytes(largest)
    assert refusals(canonical_json({**GOOD, "facts": {"x": "y" * (room + 1)}})) == [
        f"size: expected at most {MIB} bytes, got more"
    ]


def test_a_document_of_a_known_format_comes_back_whole() -> None:
    assert parse_document(b'{"format": 7, "x": 1}', "d", 7) == {"format": 7, "x": 1}


def test_a_spelling_that_cannot_be_made_is_no_canonical_one() -> None:
    def fail() -> bytes:
        raise RecursionError

    for encode in (fail, lambda: b"other"):
        with pytest.raises(FormatError) as caught:
            check_canonical(b"data", "the subject", encode)
        assert str(caught.value).startswith("the subject: ")
        assert [str(p) for p in caught.value.problems] == [
            "encoding: expected canonical JSON, got another spelling"
        ]
    check_canonical(b"data", "the subject", lambda: b"data")


def test_a_number_that_no_size_needs_is_refused() -> None:
    assert parse_document(b'{"format": 1, "size": %d}' % (2**128 - 1), "d", 1)["size"] == 2**128 - 1
    with pytest.raises(FormatError, match="encoding: expected UTF-8 JSON, got ValueError"):
        parse_document(b'{"format": 1, "size": %d}' % 2**128, "d", 1)


def test_json_with_one_reading_alone_is_parsed() -> None:
    assert parse_clearly('{"a": [1, "ü"]}'.encode(), "d") == {"a": [1, "ü"]}
    for data, got in [
        (b'{"a": 1, "a": 1}', "ValueError"), (b"NaN", "ValueError"), (b'"\\ud83d"', "UnicodeEncodeError"),
        (b"\xef\xbb\xbf{}", "JSONDecodeError"), (b"{", "JSONDecodeError"), (b"\xff", "UnicodeDecodeError"),
        (b"[" * 200_000, "RecursionError"), (b"[%d]" % 2**128, "ValueError"),
    ]:  # fmt: skip
        with pytest.raises(FormatError) as caught:
            parse_clearly(data, "the subject")
        assert str(caught.value).startswith("the subject: ")
        assert [str(p) for p in caught.value.problems] == [
            f"encoding: expected JSON that can be read in one way only, got {got}"
        ]


class TestReading:
    """Of a directory's own manifest."""

    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Path:
        (tmp_path / "keys.npy").write_bytes(b"key")
        write_manifest(tmp_path, "cache", VectorizerId(GOOD["vectorizer_id"]), {"phrases": 1})
        return tmp_path

    def refused(self, bundle: Path, *expected: Any) -> str:
        with pytest.raises(IntegrityError) as caught:
            read_manifest(bundle, *expected)
        assert str(caught.value).startswith(f"{bundle}: bytes differ from what was released")
        (problem,) = caught.value.problems
        return str(problem)

    def test_what_is_written_is_read(self, bundle: Path) -> None:
        document = {**GOOD, "files": {"keys.npy": {"size": 3, "sha256": digest_file(bundle / "keys.npy")}}}
        assert (bundle / MANIFEST).read_bytes() == canonical_json(document)
        written = write_manifest(bundle, "cache", VectorizerId(GOOD["vectorizer_id"]), {"phrases": 1})
        assert isinstance(written, Manifest)
        assert written == read_manifest(bundle) == read_manifest(bundle, written.digest)

    def test_another_digest_than_pinned_is_refused_before_parsing(self, bundle: Path) -> None:
        (bundle / MANIFEST).write_bytes(b"no JSON")
        zero = "sha256:" + "0" * 64
        assert self.refused(bundle, zero) == f"{MANIFEST}: expected {zero}, got {digest_bytes(b'no JSON')}"
        with pytest.raises(FormatError, match=str(bundle / MANIFEST)):
            read_manifest(bundle)

    def test_a_link_is_refused(self, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        elsewhere = (bundle / MANIFEST).rename(tmp_path_factory.mktemp("elsewhere") / MANIFEST)
        (bundle / MANIFEST).symlink_to(elsewhere)
        assert self.refused(bundle) == f"{MANIFEST}: expected a plain file, got a link"

    def test_nothing_and_a_folder_are_refused(self, bundle: Path) -> None:
        (bundle / MANIFEST).unlink()
        assert self.refused(bundle) == f"{MANIFEST}: expected a readable file, got FileNotFoundError"
        (bundle / MANIFEST).mkdir()
        assert self.refused(bundle) == f"{MANIFEST}: expected a readable file, got IsADirectoryError"

    def test_no_more_is_read_than_a_manifest_may_have(self, bundle: Path) -> None:
        with (bundle / MANIFEST).open("wb") as file:
            file.truncate(MIB + 5)
        assert self.refused(bundle, "sha256:" + "0" * 64).endswith(digest_bytes(bytes(MIB + 1)))
        with pytest.raises(FormatError, match="size: expected at most"):
            read_manifest(bundle)


def test_every_difference_of_files_is_named_in_order(mine: Installed, tmp_path: Path) -> None:
    model = mine.bundles["model"]
    manifest = read_manifest(model)
    assert file_problems(model, manifest) == []
    (model / "b").touch()
    (model / "a").mkdir()
    (model / "model.cpu.onnx").unlink()
    (model / "model.fp16.onnx").rename(tmp_path / "elsewhere")
    (model / "model.fp16.onnx").symlink_to(tmp_path / "elsewhere")
    (model / "probes.json").unlink()
    (model / "probes.json").mkdir()
    (model / "probes.npy").write_bytes(b"short")
    tokenizer = manifest.files["tokenizer.json"]
    (model / "tokenizer.json").write_bytes(bytes(tokenizer.size))
    assert [str(problem) for problem in file_problems(model, manifest)] == [
        "a: expected no such file, got an unlisted file",
        "b: expected no such file, got an unlisted file",
        "model.cpu.onnx: expected a plain file, got nothing",
        "model.fp16.onnx: expected a plain file, got a link or folder",
        "probes.json: expected a plain file, got a link or folder",
        f"probes.npy: expected {manifest.files['probes.npy'].size} bytes, got 5 bytes",
        f"tokenizer.json: expected {tokenizer.sha256}, got {digest_bytes(bytes(tokenizer.size))}",
    ]


def test_the_examples_here_are_good_ones() -> None:
    data = canonical_json(GOOD)
    assert json.loads(parse_manifest(data, "m").to_bytes()) == GOOD
