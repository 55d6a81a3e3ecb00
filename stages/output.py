"""Outputs that are there whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rejoinder.atomic import sync
from stages.errors import DataError, StageError


@contextmanager
def atomic_directory(out: Path) -> Iterator[Path]:
    """Fill a temporary sibling, then take its name: a killed stage leaves nothing half-written.

    Args:
        out: the directory to make; replaced if it exists.

    Yields:
        The directory to write into.

    Raises:
        StageError: if another run is writing it.
    """
    # One fixed name, so that what a killed run left behind is removed by the next.
    partial = out.with_name(f".{out.name}.partial")
    with _alone(out):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            for path in (*partial.rglob("*"), partial):
                sync(path)
            old = out.with_name(f".{out.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            if out.exists():
                out.rename(old)  # aside, not removed in place: a kill in between must not leave half of it
            partial.rename(out)
            sync(out.parent)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    out.parent.mkdir(parents=True, exist_ok=True)
    # The lock goes with the process, however it ends; its file stays.
    try:
        held = FileLock(out.with_name(f".{out.name}.lock"), blocking=False).acquire()
    except Timeout:
        raise StageError(f"{out}: another run is writing it; next: wait for it") from None
    with held:
        yield


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with a final newline; NaN is refused."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as a JSON list, the form that `dvc plots` draws."""
    write_json(path, [dict(row) for row in rows])


def read_json(path: Path) -> Any:
    """Read JSON that another stage wrote.

    Args:
        path: the file.

    Returns:
        What it holds.

    Raises:
        DataError: if it is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        advice = "next: run the stage that writes it"
        raise DataError(f"{path}: expected JSON, got {type(error).__name__}; {advice}") from None
