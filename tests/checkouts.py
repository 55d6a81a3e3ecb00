"""Copies of the repository in which tests build and release."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.reach import ROOT


def copy_checkout(project: Path) -> None:
    """Copy what git holds or would take, and begin a repository of its own."""
    listed = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file() and name != "dvc.lock":
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    run(project, "git", "init", "-q")


def environment(project: Path) -> dict[str, str]:
    """A newcomer's environment: no key named, so that the first release makes a development key."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ours = {"PATH": path, "REJOINDER_STORE": str(project / "store"), "PYTHONUNBUFFERED": "1"}
    who = {
        f"GIT_{role}_{what}": "tester@example.invalid"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    dropped = ("MLFLOW_", "PREFECT_", "REJOINDER_")
    return {**{k: v for k, v in os.environ.items() if not k.startswith(dropped)}, **ours, **who}


def run(
    project: Path, *words: str, settings: Mapping[str, str] | None = None, timeout: float = 900
) -> subprocess.CompletedProcess[str]:
    """Run a command in a copy; `settings` are more of the environment."""
    return subprocess.run(
        words, cwd=project, env=environment(project) | dict(settings or {}), capture_output=True, text=True,
        timeout=timeout, check=False,
    )  # fmt: skip
