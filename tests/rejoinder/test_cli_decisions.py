"""The commands on the decision log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rejoinder.cli_decisions import decisions
from rejoinder.cli_options import Commands
from rejoinder.home import home
from rejoinder.serving.decisions.pseudonyms import VARIABLE
from tests.rejoinder.serving.decisions.samples import (
    SECRETS,
    answer,
    confirm,
    feedback,
    opened,
    reaction,
    read,
    write,
)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log in the home, with the key that its records were made with."""
    monkeypatch.setenv(VARIABLE, (b"k" * 32).hex())
    write(home() / "decisions", answer(with_text=True), reaction(), feedback(), with_text=True)
    return home() / "decisions"


def run(*arguments: str) -> Result:
    main = Commands(commands={"decisions": decisions})
    return CliRunner().invoke(main, ["decisions", *arguments], env={"COLUMNS": "80"})


def test_files_are_listed_with_what_is_in_them(folder: Path) -> None:
    result = run("list")
    assert result.exit_code == 0, result.output
    _, row, less = result.stdout.splitlines()
    assert row.split()[1:] == ["0", "0.0", "1", "1", "1", "yes"]
    assert less.endswith("0 torn line(s), 0 unreadable, 0 erased record(s) passed over")


def test_one_answer_is_shown_with_its_reactions(folder: Path) -> None:
    result = run("show", "c1")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [answer(with_text=True), reaction()]


def test_half_a_surrogate_pair_is_shown_as_json_has_it(folder: Path) -> None:
    write(folder, answer("c9", with_text=True) | {"reply": "\ud83d!"}, with_text=True)
    assert json.loads(run("show", "c9").stdout)["reply"] == "\ud83d!"


def test_an_unknown_answer_is_none(folder: Path) -> None:
    result = run("show", "c7")
    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize("option", [("--user", "alice"), ("--conversation", "talk")])
def test_somebody_is_erased_by_the_id_that_the_client_knows(folder: Path, option: tuple[str, str]) -> None:
    result = run("erase", *option)
    assert (result.exit_code, result.stdout) == (0, "erased 3 record(s) from 1 file(s)\n")
    assert read(folder) == []
    assert "nothing was found" in run("erase", *option).stderr


def test_files_of_living_workers_are_named(folder: Path) -> None:
    with opened(folder, worker=1) as log:
        confirm(log, answer("c2", "other"))
        result = run("erase", "--conversation", "other")
    assert "-w1-" in result.stdout
    assert "being written" in result.stdout


@pytest.mark.parametrize("arguments", [(), ("--user", "a", "--conversation", "b")])
def test_one_thing_at_a_time_is_erased(folder: Path, arguments: tuple[str, ...]) -> None:
    assert run("erase", *arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [("list",), ("show", "c1"), ("erase", "--user", "alice")])
def test_a_log_that_is_not_there_is_told_without_a_traceback(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert "Next: " in result.stderr
    assert not home().exists()


@pytest.mark.parametrize("command", ["list", "show", "erase"])
def test_every_command_has_an_example(command: str) -> None:
    assert f"rejoinder decisions {command}" in run(command, "--help").output


def test_no_text_is_in_a_list_or_an_erasure(folder: Path) -> None:
    said = run("list").output + run("erase", "--user", "alice").output
    assert [text for text in (*SECRETS, "alice") if text in said] == []
