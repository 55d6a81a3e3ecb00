"""Keep tests away from the state of this checkout, and from the environment of whoever runs them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path

import pytest

from tests.reach import ROOT

#: What commands leave in a checkout; no test may read or write it.
STATE = (".prefect", ".rejoinder", "build", "checkpoints", "dvc.lock", "mlartifacts", "mlflow.db")

#: The variables that reach the tests. A list of those that must not could never be complete.
KEPT = re.compile(
    r"PATH|LD_.*|HOME|USER|LOGNAME|LANG|LC_.*|TMPDIR|TEMP|TMP"  # what any process needs
    r"|PYTHON.*|PIP_.*|UV_.*|SSL_.*|\w+_PROXY|CUDA_.*|OMP_.*|ORT_.*"  # interpreter, installers, network, hardware
    r"|CI|PYTEST.*|COV.*|MUTANT.*|REJOINDER_TEST_.*",  # who runs the tests, and what they tell their children
    re.IGNORECASE,
)

#: Audit events (docs.python.org/3/library/audit_events.html) whose first arguments are paths.
_EVENTS = frozenset({
    "open", "os.listdir", "os.scandir", "os.mkdir", "os.rmdir", "os.remove", "os.rename", "os.link", "os.symlink",
    "os.truncate", "os.chmod", "os.utime", "sqlite3.connect",
})  # fmt: skip
_FORBIDDEN = tuple(str(ROOT / name) for name in STATE)


def clean(environment: MutableMapping[str, str]) -> None:
    """Remove every variable but those that are kept."""
    for name in [name for name in environment if not KEPT.fullmatch(name)]:
        del environment[name]


def places(folder: Path) -> dict[str, str]:
    """The variables that keep what is written without a place being named below a folder."""
    return {
        "REJOINDER_HOME": str(folder / ".rejoinder"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "PREFECT_HOME": str(folder / ".prefect"),
        "DO_NOT_TRACK": "1",
    }


def guard() -> None:
    """From now on, whatever opens, lists or changes the checkout's state in this process fails at that line."""
    sys.addaudithook(_refuse_state)


def _refuse_state(event: str, arguments: tuple[object, ...]) -> None:
    if event not in _EVENTS:
        return
    for path in arguments[:2]:
        if isinstance(path, str | bytes | os.PathLike) and _is_state(os.fsdecode(path)):
            # Not an Exception, so that no code under test can swallow it.
            pytest.fail(f"{event} on the state of the checkout: {os.fsdecode(path)}")


def _is_state(path: str) -> bool:
    # Tests stand elsewhere, so a relative path does not lead here; it may be relative to an open folder.
    found = os.path.normpath(path)
    return any(found == state or found.startswith(state + os.sep) for state in _FORBIDDEN)
