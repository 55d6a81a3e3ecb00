"""No generator of another release gets in, nor one that lies; and the check that says so can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.generators import CHANGES, generators_that_lie
from rejoinder.parts import GENERATOR


def test_a_generator_that_was_swapped_or_lies_is_refused(tmp_path: Path) -> None:
    outcome = generators_that_lie(tmp_path)
    assert outcome.tries == len(CHANGES)
    assert outcome.survived == outcome.tries, outcome.note


def test_the_check_sees_that_the_generator_is_not_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{GENERATOR.module}.probe", lambda *_: [])
    assert generators_that_lie(tmp_path).survived < len(CHANGES)
