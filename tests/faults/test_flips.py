"""No damaged byte reaches a parser, and the check that says so can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from rejoinder import proof, signature
from rejoinder.manifest import read_manifest
from rejoinder.parts import opened
from rejoinder.parts.replies import ReplyIndex
from tests.faults.flips import byte_flips, truncations


def test_changed_bytes_are_refused_before_any_parser_runs(tmp_path: Path) -> None:
    outcome = byte_flips(tmp_path, 120)
    assert outcome.tries == 120
    assert outcome.survived == outcome.tries, outcome.note


def test_truncated_files_are_refused_before_any_parser_runs(tmp_path: Path) -> None:
    outcome = truncations(tmp_path, 110)
    assert outcome.tries == 110
    assert outcome.survived == outcome.tries, outcome.note


def test_the_check_sees_that_bundles_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "file_problems", lambda *_: [])
    assert byte_flips(tmp_path / "flips", 40).survived < 40
    assert truncations(tmp_path / "cuts", 40).survived < 40


def test_the_check_sees_a_parser_that_runs_too_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prove = proof.prove

    def late(installed: proof.Installed, *args: object) -> object:
        ReplyIndex(installed.bundles["index"], read_manifest(installed.bundles["index"]))
        return prove(installed, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(opened, "prove", late)
    outcome = byte_flips(tmp_path, 40)
    assert outcome.survived < outcome.tries
    assert "ran before the refusal" in outcome.note


def test_the_check_sees_that_signed_files_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "file_problems", lambda *_: [])
    assert byte_flips(tmp_path, 60).survived < 60
