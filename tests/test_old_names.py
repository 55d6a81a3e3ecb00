"""Commands that have moved name their new place."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.reach import ROOT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("registry.server", "deploy.mlflow_server"),
        ("tests.faults", "faults"),
    ],
)
def test_an_old_command_names_its_new_place(old: str, new: str) -> None:
    done = subprocess.run([sys.executable, "-m", old], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Next: python -m {new}," in done.stderr
