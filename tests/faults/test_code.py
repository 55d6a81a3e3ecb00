"""No planted code is run, and the check that says so can fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faults.code import code_beside, code_in_a_source, code_in_mlflow, code_listed, code_signed
from registry.pull import pull
from rejoinder.parts import probes, vector_table
from rejoinder.release import proof, signature
from tests.bundles import WHOLE


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        (code_beside, 9 * len(WHOLE)),
        (code_signed, 26),
        (code_listed, 9 * len(WHOLE)),
        (code_in_a_source, 4),
        (code_in_mlflow, 3),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_planted_code_is_never_run(tmp_path: Path, fault, tries: int) -> None:  # type: ignore[no-untyped-def]
    outcome = fault(tmp_path, tries)
    assert 0 < outcome.tries <= tries
    assert outcome.survived == outcome.tries, outcome.note


def test_the_check_sees_files_that_nobody_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "file_problems", lambda *_: [])
    monkeypatch.setattr(signature, "file_problems", lambda *_: [])
    assert code_beside(tmp_path, 8).survived < 8


def test_the_check_sees_a_pickle_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(path: Path, *_: object) -> object:
        return np.load(path, allow_pickle=True)

    monkeypatch.setattr(vector_table, "map_array", careless)
    monkeypatch.setattr(probes, "map_array", careless)
    outcome = code_signed(tmp_path)
    assert outcome.survived < outcome.tries
    assert "was run" in outcome.note


def test_the_check_sees_listed_code_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prove = proof.verify_bundle

    def careless(directory: Path, digest: object) -> object:
        if (directory / "planted.npy").exists():
            np.load(directory / "planted.npy", allow_pickle=True)
        return prove(directory, digest)  # type: ignore[arg-type]

    monkeypatch.setattr(proof, "verify_bundle", careless)
    outcome = code_listed(tmp_path)
    assert outcome.survived < outcome.tries


@pytest.mark.parametrize("fault", [code_in_a_source, code_in_mlflow], ids=lambda fault: str(fault.__name__))
def test_the_check_sees_that_a_pull_runs_what_it_finds(  # type: ignore[no-untyped-def]
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault
) -> None:
    fetch = pull._fetch_file

    def careless(source: object, place: str, target: Path, manifest: object) -> None:
        (tmp_path / "canary").write_text("it ran")
        fetch(source, place, target, manifest)  # type: ignore[arg-type]

    monkeypatch.setattr(pull, "_fetch_file", careless)
    assert fault(tmp_path, 2).survived < 2
