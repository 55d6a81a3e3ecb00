"""Out of space at any write, what is served stays whole; and the counting of that can fail."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from unittest.mock import patch

import pytest

from faults import disks
from faults.disks import full_disks


def test_an_install_survives_a_full_disk(tmp_path: Path) -> None:
    outcome = full_disks(tmp_path, 5)
    assert outcome.survived == outcome.tries == 5


def test_an_install_survives_refused_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "_try_to_mount", disks._no_space)
    outcome = full_disks(tmp_path, 5)
    assert outcome.survived == outcome.tries == 5
    assert "refused" in outcome.note


def forget_the_words() -> None:
    """Let the operating system's own error out."""
    patch("registry.pull.pull._no_space", lambda _: nullcontext()).start()


def test_an_error_without_words_is_found(tmp_path: Path) -> None:
    assert full_disks(tmp_path, 3, forget_the_words).survived < 3
