import re

import pytest

from flows.progress import Lines
from stages.names import STAGES


class Terminal:
    """Standard error of a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return True


def test_without_a_terminal_a_step_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    run = Lines({})
    assert run("validate", lambda: "unchanged") == "unchanged"
    assert run("register", lambda: 7) == 7
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"\[ 3/{len(STAGES)}\] validate +0\.0 s  unchanged", first)
    assert re.fullmatch(r" {8}register +0\.0 s", second)


def test_on_a_terminal_it_says_what_runs_and_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    Lines({"gate": 20.0, "register": 160.0})("gate", lambda: None)
    running, done = terminal.text.split("\r\x1b[K")
    assert running == f"[{len(STAGES)}/{len(STAGES)}] gate       ... about 3 min left"
    assert done.startswith(f"[{len(STAGES)}/{len(STAGES)}] gate")


def test_time_left_goes_by_the_rate_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 30.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    run = Lines({"ingest": 10.0, "anonymize": 20.0})
    assert run.left() == 30
    run("ingest", lambda: None)
    assert run.left() == 60


def test_a_step_that_fails_leaves_no_line_of_success(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Lines({})("gate", fail)
    assert capsys.readouterr().err == ""
