"""No part of another model gets in, and the check that says so can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.swaps_of_parts import LIES, parts_swapped, parts_that_lie
from rejoinder.parts import PARTS, PHRASES, REPLIES, Part
from rejoinder.release import proof


def test_every_part_of_another_model_is_refused(tmp_path: Path) -> None:
    outcome = parts_swapped(tmp_path)
    assert outcome.tries == 72
    assert outcome.survived == outcome.tries, outcome.note


def test_parts_that_lie_are_refused_by_name(tmp_path: Path) -> None:
    outcome = parts_that_lie(tmp_path)
    assert outcome.tries == len(LIES)
    assert outcome.survived == outcome.tries, outcome.note


@pytest.mark.parametrize("part", [PHRASES, REPLIES], ids=lambda part: part.name)
def test_the_check_sees_that_a_probe_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: Part
) -> None:
    monkeypatch.setattr(f"{part.module}.probe", lambda *_: [])
    assert parts_swapped(tmp_path).survived < 72


def test_the_check_sees_that_nobody_compares_vectorizers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "verify_consistency", lambda *_: None)
    assert parts_that_lie(tmp_path).survived < len(LIES)


def test_the_check_sees_that_the_model_is_not_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in PARTS:
        monkeypatch.setattr(f"{part.module}.probe", lambda *_: [])
    assert parts_that_lie(tmp_path).survived < len(LIES)
