"""One: run one fault by name; a module of its own, because a new process cannot import `__main__`."""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from pathlib import Path

from rejoinder.progress import QUIET
from tests.faults.outcome import Outcome


def run_one(module: str, name: str) -> Outcome:
    """Run one fault with its full number of tries, in a folder of its own.

    Args:
        module: of tests/faults.
        name: of the function.

    Returns:
        What became of it.
    """
    os.environ[QUIET] = "1"  # a fault pulls hundreds of times
    fault = getattr(import_module(f"tests.faults.{module}"), name)
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as root:
        outcome: Outcome = fault(Path(root))
    return outcome
