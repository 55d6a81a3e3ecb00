"""How each stage ended, for machines: `build/status/<stage>.json`."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rejoinder.atomic import write_text
from rejoinder.errors import RejoinderError

STATUS = Path("build/status")
DEBUG = "REJOINDER_DEBUG"


@contextmanager
def reported(stage: str) -> Iterator[None]:
    """Write how a stage ends, and how long it took.

    Args:
        stage: its name.

    Yields:
        Nothing.

    Raises:
        SystemExit: with the stage's message, if it fails.
    """
    start = time.monotonic()
    # A killed stage writes no status: this one must not be that of the run before.
    _write(stage, ok=False, kind="running", message="", seconds=0.0)
    try:
        yield
    except RejoinderError as error:
        kind = getattr(error, "kind", type(error).__name__)
        _write(stage, ok=False, kind=kind, message=str(error), seconds=time.monotonic() - start)
        raise SystemExit(f"{stage}: {error}") from None
    except Exception as error:
        # The text of an unforeseen error may quote data: its type and place are all that is shown.
        _write(stage, ok=False, kind="crash", message=type(error).__name__, seconds=time.monotonic() - start)
        if os.environ.get(DEBUG):
            raise
        place = "".join(traceback.format_tb(error.__traceback__))
        hint = f"next: run it again with {DEBUG}=1 to see its message, which may quote data"
        raise SystemExit(f"{place}{stage}: unforeseen {type(error).__name__}; {hint}") from None
    _write(stage, ok=True, kind="done", message="", seconds=time.monotonic() - start)


def _write(stage: str, **status: object) -> None:
    STATUS.mkdir(parents=True, exist_ok=True)
    write_text(STATUS / f"{stage}.json", json.dumps({"stage": stage, **status}) + "\n")
