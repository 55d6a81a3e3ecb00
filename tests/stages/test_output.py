import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stages.errors import StageError
from stages.output import atomic_directory, write_json

LOCK = ".out.lock"


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_replaces_the_old_output_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for content in ("old", "new"):
        with atomic_directory(out) as directory:
            (directory / content).write_text(content)
    assert names(out) == ["new"]
    assert names(tmp_path) == [LOCK, "out"]


def test_an_error_keeps_the_old_output_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with atomic_directory(out) as directory:
        (directory / "file").write_text("old")

    def fail() -> None:
        with atomic_directory(out) as directory:
            (directory / "file").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (out / "file").read_text() == "old"
    assert names(tmp_path) == [LOCK, "out"]


def test_a_killed_writer_leaves_no_output_and_the_next_heals(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import os, signal, pathlib\n"
        "from stages.output import atomic_directory\n"
        f"with atomic_directory(pathlib.Path({str(out)!r})) as directory:\n"
        "    (directory / 'file').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    with atomic_directory(out) as directory:
        assert list(directory.iterdir()) == []
        (directory / "file").write_text("whole")
    assert names(tmp_path) == [LOCK, "out"]


def test_json_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1.5, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))


def test_two_runs_cannot_write_the_same_output_at_once(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    code = (
        "import pathlib\n"
        "from stages.output import atomic_directory\n"
        f"with atomic_directory(pathlib.Path({str(out)!r})) as directory:\n"
        "    (directory / 'file').write_text('first')\n"
        "    print('writing', flush=True)\n"
        "    input()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as first:  # type: ignore[call-overload]
        assert first.stdout.readline() == "writing\n"
        with (
            pytest.raises(StageError, match="out: another run is writing it; next: wait for it"),
            atomic_directory(out),
        ):
            pass
        first.communicate("\n")
    assert (first.returncode, (out / "file").read_text()) == (0, "first")
    with atomic_directory(out) as directory:
        (directory / "file").write_text("second")
    assert (out / "file").read_text() == "second"


def test_outputs_side_by_side_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "a"), atomic_directory(tmp_path / "b"):
        pass
    assert names(tmp_path) == [".a.lock", ".b.lock", "a", "b"]
