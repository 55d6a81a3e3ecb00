"""A log gets one line a piece of work; a terminal a bar, and the same line when it is done."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from rejoinder.progress import BYTES, QUIET, progress, track

WORK = """
import time
from rejoinder.progress import BYTES, progress, track
for _ in track(range(2), "outer", "system"):
    with progress("inner", BYTES, 4_000_000) as advance:
        for _ in range(4):
            time.sleep(0.06)
            advance(1_000_000)
"""
COLOURS = re.compile(r"\x1b\[[\d;]*m")
SECONDS = re.compile(r"[\d.]+ s\b")


def lines(text: str) -> list[str]:
    """Lines, without how long it took."""
    return [SECONDS.sub("N s", line) for line in text.splitlines()]


def on_a_terminal(**environment: str) -> str:
    """What the work shows on a terminal of its own."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", WORK]
    child = subprocess.Popen(command, stderr=theirs, env={**os.environ, "TERM": "xterm", **environment})
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # how the end of a terminal is told
    finally:
        os.close(ours)
    assert child.wait() == 0
    return COLOURS.sub("", shown.decode())


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE"])
def test_where_there_is_no_terminal_each_piece_of_work_is_one_line(variable: str) -> None:
    command = [sys.executable, "-c", WORK]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, variable: "1"})
    assert done.stdout == ""
    assert lines(done.stderr) == [*["inner: 4.0 MB in N s"] * 2, "outer: 2 systems in N s"]


def test_a_terminal_shows_a_bar_with_the_time_left_and_then_the_same_lines() -> None:
    shown = on_a_terminal()
    assert "━" in shown
    assert re.search(r"\b0:00:0\d", shown)
    assert re.search(r"\d/4\.0.*MB", shown)
    for line in ("inner: 4.0 MB in", "outer: 2 systems in"):
        assert shown.count(line) == {"inner": 2, "outer": 1}[line.split(":")[0]]


def test_a_quiet_program_shows_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(QUIET, "1")
    assert list(track("abc", "read", "row")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")
    assert on_a_terminal(REJOINDER_QUIET="1") == ""


def test_amounts_are_counted_as_they_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("read", "row") as advance:
        advance(1_000)
        advance(234)
    list(track(iter("a"), "settle", "part", total=1))
    with progress("fetch", BYTES, 3_000_000) as advance:
        advance(2_500_000)
    said = capsys.readouterr()
    assert lines(said.err) == ["read: 1,234 rows in N s", "settle: 1 part in N s", "fetch: 2.5 MB in N s"]
    assert said.out == ""


def test_work_that_fails_is_not_reported_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        for _ in track(range(3), "read", "row"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert capsys.readouterr().err == ""
