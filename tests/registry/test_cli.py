"""The command `rejoinder`, from register to ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from registry.cli import main
from registry.mlflow.uri import artifact_location, redacted_uri
from rejoinder.home import home
from rejoinder.release.proof import Installed
from tests.bundles import REPLIES, write_verdict


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_from_register_to_ask(registry_name: str, mine: Installed, tmp_path: Path) -> None:
    verdict = write_verdict(tmp_path / "v.json", mine.bundles)
    bundles = [argument for kind, path in mine.bundles.items() for argument in (f"--{kind}", path)]
    register = ("register", *bundles, "--verdict", verdict, "--name", registry_name)
    at = ("--store", tmp_path / "node")

    assert run(*register).stdout.startswith(f"registered: {registry_name} #1")
    assert run(*register).stdout.startswith(f"already registered: {registry_name} #1")
    assert run("releases", "--remote", "--name", registry_name).stdout.startswith(f"  {registry_name} #1")
    assert run("promote", "--name", registry_name).stdout.startswith(f"champion: {registry_name} #1")
    assert run("promote", "--name", registry_name).stdout.startswith(f"champion already: {registry_name} #1")
    assert run("releases", "--remote", "--name", registry_name).stdout.startswith(f"* {registry_name} #1")
    assert run("pull", "--name", registry_name, *at).stdout.startswith(f"installed: {registry_name} #1")
    assert run("pull", "--name", registry_name, *at).stdout.startswith(f"up to date: {registry_name} #1")
    assert run("releases", *at).stdout.startswith(f"* {registry_name} #1")
    assert run("verify", *at).exit_code == 0
    answer = run("ask", "I feel lonely", *at).stdout.strip()
    assert answer in REPLIES

    (tmp_path / "forbidden.yaml").write_text(f"replies: ['{answer}']")
    told = run("deny", tmp_path / "forbidden.yaml", "--name", registry_name).stdout
    assert told.startswith(f"champion: {registry_name} #2")
    assert "denied: 1 replies and 0 themes" in told
    assert run("pull", "--name", registry_name, *at).stdout.startswith(f"installed: {registry_name} #2")
    assert run("ask", "I feel lonely", *at).stdout.strip() not in ("", answer)
    assert run("deny", "--nothing", "--name", registry_name).stdout.startswith(f"champion: {registry_name} #3")
    assert run("deny", "--name", registry_name).exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("register", "--verdict", "nowhere.json"),
        ("pull", "--name", "nobody"),
        ("releases", "--remote", "--name", "x"),
    ],
)
def test_refusals_are_one_message(registry_name: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    where = () if command[0] in {"register", "releases"} else ("--store", tmp_path)
    result = run(*command, *where)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Next: " in result.stderr


def test_wrong_usage(tmp_path: Path) -> None:
    assert run("pull", "--serial", "0").exit_code == 2
    assert run("fly").exit_code == 2


def test_help_shows_every_command_with_an_example() -> None:
    shown = run("--help").stdout
    for command in main.commands:
        assert f"rejoinder {command}" in shown
        assert f"rejoinder {command}" in run(command, "--help").stdout.split("Example")[1]


def test_doctor_reports_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hunter2@mlflow.example/path")
    monkeypatch.setenv("REJOINDER_ANONYMIZE_KEY", "f00d" * 16)
    result = run("doctor", "--store", tmp_path / "none")
    assert result.exit_code == 0
    for part in ("CPUExecutionProvider", "numpy", "does not exist", "https://mlflow.example/path", str(home())):
        assert part in result.stdout
    assert "hunter2" not in result.stdout
    assert "f00d" not in result.stdout


def test_a_server_that_is_down_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = run("releases", "--remote")
    assert result.exit_code == 1
    assert "http://127.0.0.1:9" in result.stderr
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("uri", "shown", "location"),
    [
        ("", "sqlite:///mlflow.db", "mlartifacts"),
        ("sqlite:////srv/m.db", "sqlite:////srv/m.db", "/srv/mlartifacts"),
        ("http://u:p@host:5000", "http://host:5000", None),
    ],
)
def test_where_mlflow_is(monkeypatch: pytest.MonkeyPatch, uri: str, shown: str, location: str | None) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert redacted_uri() == shown
    assert artifact_location() == (None if location is None else Path(location).resolve().as_uri())
