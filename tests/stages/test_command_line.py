"""`python -m stages`: defaults of the paths, old command lines, one-line errors, and a status either way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rejoinder.errors import InputError
from stages.__main__ import cli, default_paths
from stages.common.errors import DataError
from stages.common.params import StageParams
from stages.common.status import DEBUG, STATUS
from stages.names import STAGES
from tests.reach import ROOT


class Params(StageParams):
    """Section `cache` of a params.yaml of the test's own."""

    size: int


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Puts a small stage in the place of `cache`; what its `run` was called with."""
    calls: list[dict[str, Any]] = []
    module = ModuleType("stages.cache.stage", "Cache: something -> something else.")

    def run(params: Params, *, dialogues: Path, words: Path = Path("data/words"), out: Path) -> None:
        if params.size == 0:
            raise DataError("words: expected some, got none")
        if params.size == 1:
            raise InputError("words: expected others")
        if params.size == 2:
            int(Path("params.yaml").read_text())  # its error quotes what it has read
        calls.append({"size": params.size, "dialogues": dialogues, "words": words, "out": out})

    def run_preview(*, explain: bool) -> None:
        calls.append({"explain": explain})

    vars(module).update(Params=Params, run=run, run_preview=run_preview)
    monkeypatch.setitem(sys.modules, "stages.cache.stage", module)
    monkeypatch.delenv(DEBUG, raising=False)
    monkeypatch.chdir(tmp_path)
    write_size(7)
    return calls


def write_size(size: int) -> None:
    Path("params.yaml").write_text(f"cache:\n  size: {size}\n")


def command(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def status() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STATUS / "cache.json").read_text())
    assert found.pop("seconds") >= 0
    return found


def test_without_options_a_stage_takes_its_default_paths(ran: list[dict[str, Any]]) -> None:
    assert command("cache").exit_code == 0
    paths = {"dialogues": Path("build/dialogues"), "words": Path("data/words"), "out": Path("build/cache")}
    assert ran == [{"size": 7, **paths}]
    assert status() == {"stage": "cache", "ok": True, "kind": "done", "message": ""}


def test_every_path_and_the_parameters_can_be_named(ran: list[dict[str, Any]]) -> None:
    Path("params.yaml").rename("other.yaml")
    words = ["--params", "other.yaml", "--dialogues", "a", "--words", "b/c", "--out", "/d"]
    assert command("cache", *words).exit_code == 0
    assert ran == [{"size": 7, "dialogues": Path("a"), "words": Path("b/c"), "out": Path("/d")}]


def test_a_path_that_no_rule_gives_must_be_named() -> None:
    def run(params: Params, *, elsewhere: Path, out: Path) -> None:
        """Never called: only its signature is read."""

    assert default_paths("cache", run) == {"elsewhere": None, "out": Path("build/cache")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cache", "--dialogue", "x"], "No such option"),
        (["cache", "--out"], "requires an argument"),
        (["cache", "x"], "unexpected extra argument"),
        (["cache", "--explain"], "--explain goes with --preview"),
        (["cache", "--preview", "--out", "x"], "--preview reads standard input: leave --out out"),
        (["caches"], "No such command 'caches'"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_runs_nothing(
    ran: list[dict[str, Any]], words: list[str], said: str
) -> None:
    result = command(*words)
    assert result.exit_code == 2
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert said in error
    assert ran == []
    assert not STATUS.exists()


def test_a_preview_reads_no_parameters_and_leaves_no_status(ran: list[dict[str, Any]]) -> None:
    Path("params.yaml").unlink()
    for words in ([], ["--explain"]):
        assert command("cache", "--preview", *words).exit_code == 0
    assert ran == [{"explain": False}, {"explain": True}]
    assert not STATUS.exists()


@pytest.mark.parametrize(
    ("size", "kind", "message"),
    [(0, "data", "words: expected some, got none"), (1, "InputError", "words: expected others")],
)
def test_what_a_stage_refuses_is_one_message_and_a_status(
    ran: list[dict[str, Any]], size: int, kind: str, message: str
) -> None:
    write_size(size)
    result = command("cache")
    assert (result.exit_code, result.output) == (1, f"cache: {message}\n")
    assert status() == {"stage": "cache", "ok": False, "kind": kind, "message": message}


def test_the_words_of_an_unforeseen_error_are_not_shown(ran: list[dict[str, Any]]) -> None:
    write_size(2)
    result = command("cache")
    assert result.exit_code == 1
    assert "cache: unforeseen ValueError; next: run it again with REJOINDER_DEBUG=1" in result.output
    assert "size: 2" not in result.output
    assert status() == {"stage": "cache", "ok": False, "kind": "crash", "message": "ValueError"}


def test_wrong_parameters_are_a_status_too(ran: list[dict[str, Any]]) -> None:
    Path("params.yaml").write_text("cache:\n  sizes: 7\n")
    assert "cache.sizes: unknown key" in command("cache").output
    assert (status()["kind"], ran) == ("params", [])


def test_help_shows_defaults_and_examples_of_every_stage() -> None:
    listed = command("--help").output
    for stage in STAGES:
        assert f"\n  {stage} " in listed
        shown = command(stage, "--help").output
        assert f"[default: build/{stage}]" in shown
        assert f"Examples:\n    python -m stages {stage}\n" in shown


def test_only_the_chosen_stage_is_imported() -> None:
    code = (
        "import sys\nfrom stages.names import STAGES\nfrom stages.__main__ import cli\n"
        "cli(sys.argv[1:], standalone_mode=False)\n"
        "print([name for name in STAGES if f'stages.{name}.stage' in sys.modules])"
    )
    for words, expected in ((["--help"], []), (["gate", "--help"], ["gate"])):
        asked = [sys.executable, "-c", code, *words]
        done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == str(expected)
