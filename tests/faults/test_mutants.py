"""No malformed document gets in or crashes anything, and the check that says so can fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faults import forger, mutants
from faults.mutants import malformed, malformed_and_signed, malformed_memory, strictly
from registry.publish import promote
from registry.pull import freshness
from rejoinder.errors import FormatError
from rejoinder.release import document as release
from rejoinder.release import proof, signature
from rejoinder.release.canonical import parse_clearly
from tests.bundles import KINDS

TOKENIZER_FILE = "model/tokenizer.json"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million entries and endless nesting are for `make faults`."""
    real = mutants._mutants_of
    monkeypatch.setattr(
        mutants, "_mutants_of", lambda data: {k: v for k, v in real(data).items() if k not in mutants._LARGE}
    )


@pytest.mark.parametrize("fault", [malformed, malformed_memory], ids=lambda fault: str(fault.__name__))
def test_malformed_documents_are_refused(tmp_path: Path, fault) -> None:  # type: ignore[no-untyped-def]
    outcome = fault(tmp_path, 100)
    assert outcome.tries == 100
    assert outcome.survived == outcome.tries, outcome.note


def only(monkeypatch: pytest.MonkeyPatch, names: set[str], kind: str = "") -> None:
    """Leave these documents, and mutants of this kind if one is named."""
    real, found = mutants._mutants_of, forger.documents
    monkeypatch.setattr(mutants, "documents", lambda i: {k: v for k, v in found(i).items() if k in names})
    if kind:
        monkeypatch.setattr(mutants, "_mutants_of", lambda data: {kind: real(data)[kind]})


def test_malformed_documents_are_refused_though_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundles = {f"{kind}/manifest.json" for kind in KINDS}
    only(monkeypatch, {"release.json", "verdict.json", "statement", "model/probes.json", TOKENIZER_FILE, *bundles})
    outcome = malformed_and_signed(tmp_path, 130)
    assert outcome.tries == 130
    assert outcome.survived == outcome.tries, outcome.note


@pytest.mark.parametrize(
    ("name", "kind"), [("index/replies.jsonl", "a key twice"), ("provenance.json", "deep nesting")]
)
def test_what_no_digest_catches_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    only(monkeypatch, {name}, kind)
    outcome = malformed_and_signed(tmp_path, 40)
    assert outcome.survived == outcome.tries, outcome.note


def test_the_check_sees_that_nothing_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "file_problems", lambda *_: [])
    monkeypatch.setattr(signature, "file_problems", lambda *_: [])
    assert malformed(tmp_path, 60).survived < 60


def test_the_check_sees_spellings_that_nobody_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "check_canonical", lambda *_: None)
    monkeypatch.setattr(freshness, "check_canonical", lambda *_: None)
    assert malformed_memory(tmp_path / "memory", 60).survived < 60


def test_the_check_sees_crashes_of_parsers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyError("texts")

    monkeypatch.setattr(mutants, "open_current", crash)
    assert malformed_and_signed(tmp_path, 5).survived < 5


def test_the_check_sees_a_verdict_that_is_unclear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = forger.documents
    monkeypatch.setattr(mutants, "documents", lambda i: {"verdict.json": real(i)["verdict.json"]})
    monkeypatch.setattr(promote, "parse_clearly", lambda *_: None)
    outcome = malformed_and_signed(tmp_path, 40)
    assert "promoted on a verdict that is unclear" in outcome.note


@pytest.mark.parametrize(
    "data",
    [b'{"a": 1, "a": 1}', b"\xef\xbb\xbf{}", b'{"a": NaN}', b'["\\ud800"]', b"[1e400]", b"[" * 9999, b"{} {}"],
)
def test_what_can_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_clearly(data, "a document")
    with pytest.raises((ValueError, RecursionError)):
        strictly(data)


def test_what_can_be_read_in_one_way_is_read() -> None:
    document = {"a": [1, 1.5, None, "é"], "b": {}}
    data = json.dumps(document, ensure_ascii=False).encode()
    assert parse_clearly(data, "a document") == strictly(data) == document
