"""What the documents say is true: commands exist, trees match, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from registry.cli import main as rejoinder
from stages.names import STAGES
from tests.reach import ROOT

README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LIST = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
TRACKED = subprocess.run(LIST, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
COMMANDS = [line[2:] for line in README.splitlines() if line.startswith("$ ")]


def words_of(command: str) -> list[str]:
    """The last program of a pipe, without comments and environment settings."""
    words = shlex.split(command.rsplit("|", 1)[-1], comments=True)
    while "=" in words[0]:
        words.pop(0)
    return words


def test_the_readme_is_short_and_shows_commands() -> None:
    assert README.count("\n") < 200
    assert len(COMMANDS) >= 15
    assert "@@" not in README


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_exists(command: str) -> None:
    program, *words = words_of(command)
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words) <= set(targets)
    elif program == "rejoinder":
        found = rejoinder.commands[words[0]] if not words[0].startswith("-") else rejoinder
        if isinstance(found, click.Group) and len(words) > 1:
            found = found.commands[words[1]]
        known = {option for parameter in found.params for option in parameter.opts} | {"--help", "--version"}
        assert {word for word in words if word.startswith("--")} <= known
    elif program == "dvc":
        subcommand = [word for word in words if word.isalpha() and word not in STAGES]
        helped = subprocess.run(
            [sys.executable, "-m", "dvc", *subcommand, "--help"], capture_output=True, check=False
        )
        assert helped.returncode == 0
        for setting in re.findall(r"-S (\w+)\.(\w+)=", command):
            assert setting[1] in yaml.safe_load((ROOT / "params.yaml").read_text())[setting[0]]
        assert all(word in STAGES for word in words[2:] if words[0] == "repro")
    elif program == "python":
        assert words[0] == "-m"
        assert importlib.util.find_spec(words[1]) is not None
        assert words[1] != "stages" or words[2] in STAGES
    else:
        assert program in {"git", "cd", "pip", "source", "cp", "curl"}


def test_the_tree_of_the_readme_is_the_tree() -> None:
    block = next(b for b in re.findall(r"```text\n(.*?)```", README, re.DOTALL) if "rejoinder/" in b)
    listed = {line.split()[0] for line in block.splitlines() if line.strip()}
    assert all((ROOT / name).exists() for name in listed)
    tops = {path.split("/")[0] + ("/" if "/" in path else "") for path in TRACKED}
    visible = {top for top in tops if not top.startswith(".")} - {"dvc.lock"}
    assert visible <= listed


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    targets = [t.split("#")[0] for t in re.findall(r"\]\(([^)]+)\)", text) if "://" not in t]
    assert all((path.parent / target).exists() for target in targets if target)


def test_every_decision_is_half_a_page_and_says_why() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert decisions
    for path in decisions:
        text = path.read_text()
        assert all(f"## {part}" in text for part in ("Context", "Decision", "Consequences")), path.name
        assert text.count("\n") <= 45, path.name


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) <= {
        "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security",
    }  # fmt: skip


@pytest.mark.parametrize(
    "top",
    ["README.md", "docs", "rejoinder", "registry", "stages", "flows", "deploy", "examples", "Makefile", "dvc.yaml"],
)
def test_nothing_names_this_machine(top: str) -> None:
    banned = re.compile(re.escape(str(ROOT)) + r"|/home/\w|/root/")
    paths = [ROOT / name for name in TRACKED if name == top or name.startswith(top + "/")]
    assert [str(p) for p in paths if p.suffix != ".png" and banned.search(p.read_text(errors="replace"))] == []


def test_every_threat_is_answered_by_a_test_that_exists() -> None:
    rows = [line for line in (ROOT / "docs" / "threat-model.md").read_text().splitlines() if line.startswith("| ")]
    threats = [row for row in rows if not row.startswith(("| threat |", "| --- |"))]
    assert len(threats) > 30
    for row in threats:
        named = re.findall(r"`([a-z_/]+\.py)::(test_\w+)`", row)
        assert named, row
        for file, test in named:
            source = (ROOT / "tests" / file).read_text()
            assert f"def {test}(" in source, f"{file} has no {test}"
