"""The DAG through the dvc command, in a process group of its own."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from flows.errors import FlowError
from flows.workspace import Workspace
from stages.names import STAGES


def dvc(workspace: Workspace, *arguments: str) -> int:
    """Run dvc, wait, and return its exit status.

    A killed dvc leaves its stage running and writing. So dvc gets a session of its own, and whatever ends this
    process ends the whole group. Where this process is killed itself, dvc goes on and keeps the lock until it ends:
    the next run waits for it.
    """
    folder = workspace.root / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "flow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _run(workspace, arguments, lock.fileno())


def _run(workspace: Workspace, arguments: Sequence[str], lock: int) -> int:
    child = subprocess.Popen(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=workspace.root, env=_environment(), start_new_session=True, pass_fds=[lock],
    )  # fmt: skip
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return child.wait()
    finally:
        signal.signal(signal.SIGTERM, previous)
        _end_group(child)


def _environment() -> dict[str, str]:
    # dvc.yaml says `python`: that must be this one.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path}


def _end_group(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(timeout=10)
    except ProcessLookupError:
        return
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


def run_stage(workspace: Workspace, stage: str, *, force: bool = False) -> bool:
    """Bring one stage up to date; those before it must be.

    dvc says only what is wrong; the stage itself says what it likes.

    Args:
        workspace: where.
        stage: one of `STAGES`.
        force: run it even if nothing has changed.

    Returns:
        Whether it ran.

    Raises:
        FlowError: if it fails, with its own message.
    """
    status = workspace.status(stage)
    before = _written(status)
    forced = ["--force"] if force else []
    failed = dvc(workspace, "--wait-for-lock", "repro", "--quiet", "--single-item", *forced, stage)
    ran = _written(status) != before
    if failed:
        raise FlowError(_reason(status, stage) if ran else f"{stage}: dvc repro failed; its output is above")
    return ran


def _written(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None


def _reason(status: Path, stage: str) -> str:
    report = json.loads(status.read_text())
    if report["ok"] or not report["message"]:
        return f"{stage}: dvc repro failed; its output is above"
    return f"{stage} ({report['kind']}): {report['message']}"


def changed_stages(workspace: Workspace) -> Collection[str]:
    """List the stages whose inputs, code, parameters or outputs have changed; those behind them may follow.

    All stages are listed if dvc cannot tell: `run_stage` will then show why.
    """
    return list(changes(workspace))


def changes(workspace: Workspace) -> dict[str, Any]:
    """What has changed, as `dvc status --json` tells it, by stage; of every stage, if dvc cannot tell."""
    unknown = {stage: ["everything"] for stage in STAGES}
    if not (workspace.root / "dvc.lock").is_file():
        return unknown  # nothing was ever built
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "status", "--json"]
    done = subprocess.run(
        command, cwd=workspace.root, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return unknown
    changed: dict[str, Any] = json.loads(done.stdout)
    return changed
