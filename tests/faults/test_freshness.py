"""Releases that are signed and yet not to be taken are refused; and the counting of that can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faults import freshness as f
from faults import signatures as s

CLOCK = ("registry.pull.pull.check_fresh",)
MEMORY = ("registry.pull.pull.check_fresh", "registry.pull.pull.record")
NAME = ("registry.pull.pull._check_asked_for",)
SIGNATURES = (
    "registry.pull.pull.verify_signature",
    "registry.pull.pull.verify_signer",
    "registry.pull.pull.openssf.verify_key",
    "rejoinder.release.proof.verify_signer",
)
FAULTS = (*f.FAULTS, *s.FAULTS)
#: For every fault, the checks that stand against it.
CHECKS = {
    f.replayed_pointer: CLOCK,
    f.expired: CLOCK,
    f.wrong_clock: CLOCK,
    f.wiped_state: CLOCK,
    f.damaged_state: MEMORY,
    f.mixed_up: NAME,
    f.same_serial: CLOCK,
    s.unknown_key: SIGNATURES,
    s.broken_signature: SIGNATURES,
    s.certificates: SIGNATURES,
}


def test_every_fault_has_a_check() -> None:
    assert set(CHECKS) == set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_is_not_fresh_is_refused(tmp_path: Path, fault: Any) -> None:
    outcome = fault(tmp_path, 5)
    assert outcome.survived == outcome.tries == 5


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_check_that_is_missing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any) -> None:
    for check in CHECKS[fault]:
        monkeypatch.setattr(check, lambda *_: None)
    outcome = fault(tmp_path, 5)
    assert outcome.survived < outcome.tries
