"""The examples do what they say, run as their docstrings tell."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rejoinder.answer.responder import STEPS
from rejoinder.release.proof import Installed
from rejoinder.store.store import Store
from stages.common.messages import Message
from stages.ingest.readers import native
from tests.bundles import REPLIES, pin, put_in_store
from tests.reach import ROOT

EXAMPLES = ROOT / "examples"
LOG = """\
2024-05-01 12:00:00\t-->\tann (~ann@host.example) has joined #garden
2024-05-01 12:00:07\t@ann\tanybody here?
2024-05-01 12:01:00\tben\tsure,\twhat's up?
2024-05-01 12:02:00\t<--\tben (~ben@host.example) has quit
2024-05-02 09:00:00\tann\t"good" morning \u2615
"""


def start(name: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def default_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store that a program finds by itself."""
    monkeypatch.setenv("REJOINDER_STORE", str(store.root))
    return store


def test_each_example_is_short_and_says_how_to_run_it() -> None:
    paths = sorted(EXAMPLES.glob("*.py"))
    assert [path.name for path in paths] == ["ask.py", "read_my_log.py", "serve_threads.py"]
    for path in paths:
        text = path.read_text()
        assert text.count("\n") < 60, path.name
        assert f"python examples/{path.name}" in (ast.get_docstring(ast.parse(text)) or "")


@pytest.mark.usefixtures("default_store")
def test_ask_prints_a_reply_and_its_steps() -> None:
    out, trace = start("ask.py", "they want pizza", "you miss home", "I feel lonely").communicate(timeout=60)
    assert out.strip() in REPLIES
    assert [line.split(":")[0] for line in trace.splitlines()] == [step.name for step in STEPS]
    assert "'echo': " in trace


def test_ask_says_what_to_do_where_nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJOINDER_STORE", str(tmp_path))
    program = start("ask.py", "hi")
    out, problem = program.communicate(timeout=60)
    assert (program.returncode, out) == (1, "")
    assert "no release is installed" in problem
    assert "Traceback" not in problem


def test_threads_are_served_while_another_release_takes_over(default_store: Store, other: Installed) -> None:
    program = start("serve_threads.py")
    assert program.stdout is not None
    first, second = default_store.current().release, pin(other.bundles, serial=2)
    assert program.stdout.readline() == f"{first} answers; install another one\n"
    put_in_store(default_store, second)
    counts, problems = program.communicate(timeout=60)
    assert (program.returncode, problems) == (0, "")
    answers = dict(line.removesuffix(" answers").rsplit(": ", 1) for line in counts.splitlines())
    assert set(answers) == {str(first), str(second.release)}
    assert all(int(count) > 0 for count in answers.values())


def test_ones_own_log_becomes_what_the_native_reader_reads(tmp_path: Path) -> None:
    (tmp_path / "irc.libera.#garden.weechatlog").write_text(LOG, encoding="utf-8")
    out, problems = start("read_my_log.py", str(tmp_path), str(tmp_path / "irc.jsonl")).communicate(timeout=60)
    assert (out, problems) == ("3 messages of 2 conversations; next: dvc repro\n", "")
    read = list(native.read(tmp_path))
    day = datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert read == [
        Message("irc.jsonl", 1, "1-1", "2", "ann", day.replace(second=7), "anybody here?"),
        Message("irc.jsonl", 2, "1-1", "3", "ben", day.replace(minute=1), "sure,\twhat's up?"),
        Message("irc.jsonl", 3, "1-2", "5", "ann", datetime(2024, 5, 2, 9, tzinfo=UTC), '"good" morning \u2615'),
    ]
