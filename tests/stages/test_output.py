import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stages.output import whole_directory, write_json


def test_replaces_the_old_output_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for content in ("old", "new"):
        with whole_directory(out) as directory:
            (directory / content).write_text(content)
    assert [path.name for path in out.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [out]


def test_an_error_keeps_the_old_output_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with whole_directory(out) as directory:
        (directory / "file").write_text("old")

    def fail() -> None:
        with whole_directory(out) as directory:
            (directory / "file").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (out / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_killed_writer_leaves_no_output_and_the_next_heals(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import os, signal, pathlib\n"
        "from stages.output import whole_directory\n"
        f"with whole_directory(pathlib.Path({str(out)!r})) as directory:\n"
        "    (directory / 'file').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    with whole_directory(out) as directory:
        assert list(directory.iterdir()) == []
        (directory / "file").write_text("whole")
    assert list(tmp_path.iterdir()) == [out]


def test_json_refuses_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1.5, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
