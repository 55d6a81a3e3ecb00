"""The DAG through the dvc command, in a process group of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from flows.errors import FlowError
from stages.status import STATUS


def dvc(*arguments: str, quiet: bool = False) -> int:
    """Run dvc and wait.

    A killed dvc leaves its stage running and writing. So dvc gets a session of its own, and whatever ends this
    process ends the whole group.

    Args:
        *arguments: of the dvc command.
        quiet: drop its output.

    Returns:
        Its exit status.
    """
    # dvc.yaml says `python`: that must be this one.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    output = subprocess.DEVNULL if quiet else None
    child = subprocess.Popen(
        [sys.executable, "-m", "dvc", *arguments],
        env={**os.environ, "PATH": path}, start_new_session=True, stdout=output, stderr=output,
    )  # fmt: skip
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return child.wait()
    finally:
        signal.signal(signal.SIGTERM, previous)
        _end_group(child)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(timeout=10)
    except ProcessLookupError:
        return
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


def reproduce(*arguments: str) -> None:
    """Run `dvc repro`.

    Args:
        *arguments: of `dvc repro`, e.g. `-s STAGE` for one stage only.

    Raises:
        FlowError: if it fails, with the failed stage's own message.
    """
    status = {path: path.stat().st_mtime_ns for path in STATUS.glob("*.json")}
    if dvc("--wait-for-lock", "repro", *arguments) == 0:
        return
    written = [p for p in STATUS.glob("*.json") if status.get(p) != p.stat().st_mtime_ns]
    failures = [report for report in map(_read, written) if not report["ok"]]
    reasons = [f"{report['stage']} ({report['kind']}): {report['message']}" for report in failures]
    raise FlowError("\n".join(reasons) or "dvc repro failed; its output is above")


def _read(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text())
    return found


def is_current() -> bool:
    """Whether every stage's outputs belong to its present inputs, code and parameters."""
    return dvc("status", "--quiet", quiet=True) == 0
