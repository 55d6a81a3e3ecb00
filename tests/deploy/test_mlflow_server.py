"""The server keeps its promises: who may do what, where secrets lie, and that stopping it is harmless."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy.mlflow_server import Server, running_server
from deploy.mlflow_server import postgres as server_postgres
from deploy.mlflow_server.accounts import (
    Account,
    account_file,
    ensure_accounts,
)
from deploy.mlflow_server.postgres import find_cluster
from registry.errors import RegistryError
from registry.mlflow.connection import connect
from tests.mlflow_servers import act_as
from tests.reach import ROOT

REGISTRY = "/api/2.0/mlflow/registered-models/search"


@dataclass(frozen=True)
class Published:
    """A version with a file, made by the publisher after the accounts were made."""

    name: str
    experiment: str
    run: str
    uri: str


@pytest.fixture
def published(server_env: Server, registry_name: str, tmp_path: Path) -> Published:
    client = connect()
    experiment = client.create_experiment(registry_name)
    run = client.create_run(experiment).info
    (tmp_path / "file.txt").write_text("content")
    client.log_artifact(run.run_id, str(tmp_path / "file.txt"), "files")
    client.create_registered_model(registry_name)
    client.create_model_version(registry_name, f"{run.artifact_uri}/files", run.run_id)
    client.set_registered_model_alias(registry_name, "champion", "1")
    return Published(registry_name, experiment, run.run_id, run.artifact_uri)


@pytest.mark.server
def test_a_puller_reads_what_was_published_after_it_got_its_account(
    mlflow_server: Server, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mlflow.artifacts import download_artifacts

    act_as(mlflow_server, "puller", monkeypatch)
    client = connect()
    assert int(client.get_model_version_by_alias(published.name, "champion").version) == 1
    assert client.get_model_version(published.name, "1").run_id == published.run
    assert [v.name for v in client.search_model_versions(f"name='{published.name}'")] == [published.name]
    uri = client.get_model_version_download_uri(published.name, "1")
    assert [file.path for file in client.list_artifacts(published.run, "files")] == ["files/file.txt"]
    assert uri.startswith("mlflow-artifacts:/")
    got = download_artifacts(artifact_uri=f"{uri}/file.txt", dst_path=str(tmp_path / "got"))
    assert Path(got).read_text() == "content"


FORBIDDEN: dict[str, Callable[[Any, Published], object]] = {
    "create an experiment": lambda c, p: c.create_experiment(p.name + "x"),
    "create a model": lambda c, p: c.create_registered_model(p.name + "x"),
    "create a version": lambda c, p: c.create_model_version(p.name, "promoter:/ticket"),
    "create a run": lambda c, p: c.create_run(p.experiment),
    "upload": lambda c, p: c.log_artifact(p.run, __file__, "files"),
    "tag a version": lambda c, p: c.set_model_version_tag(p.name, "1", "digest", "x"),
    "tag a model": lambda c, p: c.set_registered_model_tag(p.name, "a", "b"),
    "edit a version": lambda c, p: c.update_model_version(p.name, "1", "x"),
    "rename a model": lambda c, p: c.rename_registered_model(p.name, p.name + "y"),
    "move an alias": lambda c, p: c.set_registered_model_alias(p.name, "champion", "1"),
    "delete an alias": lambda c, p: c.delete_registered_model_alias(p.name, "champion"),
    "delete a version": lambda c, p: c.delete_model_version(p.name, "1"),
    "delete a model": lambda c, p: c.delete_registered_model(p.name),
    "delete a run": lambda c, p: c.delete_run(p.run),
    "delete an experiment": lambda c, p: c.delete_experiment(p.experiment),
}


@pytest.mark.server
def test_a_puller_changes_nothing(
    mlflow_server: Server, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    act_as(mlflow_server, "puller", monkeypatch)
    client = connect()
    done = {}
    for what, act in FORBIDDEN.items():
        try:
            act(client, published)
            done[what] = "done"
        except (MlflowException, requests.HTTPError) as error:
            if "403" not in str(error):
                done[what] = str(error)
    assert done == {}
    account = mlflow_server.accounts["puller"]
    files = f"{mlflow_server.uri}/api/2.0/mlflow-artifacts/artifacts"
    for method, path in [
        ("PUT", "anywhere.txt"),
        ("PUT", f"{published.experiment}/{published.run}/artifacts/files/file.txt"),
        ("DELETE", f"{published.experiment}/{published.run}/artifacts/files/file.txt"),
    ]:
        answer = requests.request(
            method, f"{files}/{path}", auth=(account.username, account.password), data=b"x", timeout=30
        )
        assert answer.status_code == 403, (method, path)


@pytest.mark.server
def test_the_publisher_may_do_what_the_puller_may_not(published: Published) -> None:
    client = connect()
    for what, act in FORBIDDEN.items():
        if what != "rename a model":  # what follows knows it by its old name
            act(client, published)
    assert [version.name for version in client.search_model_versions(f"name='{published.name}'")] == []
    assert client.get_registered_model(f"{published.name}x").name == f"{published.name}x"


@pytest.mark.server
@pytest.mark.parametrize("auth", [None, ("admin", "password1234"), ("admin", "password"), ("puller", "wrong")])
def test_nobody_gets_in_without_a_password_of_ours(
    mlflow_server: Server, published: Published, auth: tuple[str, str] | None
) -> None:
    paths = [REGISTRY, f"/api/2.0/mlflow-artifacts/artifacts/{published.uri.split(':/')[1]}/files/file.txt"]
    account = mlflow_server.accounts["puller"]
    for path in paths:
        url = mlflow_server.uri + path
        assert requests.get(url, auth=auth, timeout=30).status_code == 401
        assert requests.get(url, auth=(account.username, account.password), timeout=30).status_code == 200


@pytest.mark.server
def test_a_changed_password_file_changes_the_password(mlflow_server: Server) -> None:
    old = mlflow_server.accounts["puller"]
    new = Account("puller", "another-long-password")

    def status(account: Account) -> int:
        auth = (account.username, account.password)
        return requests.get(mlflow_server.uri + REGISTRY, auth=auth, timeout=30).status_code

    ensure_accounts(mlflow_server.uri, {**mlflow_server.accounts, "puller": new})
    try:
        assert (status(old), status(new)) == (401, 200)
    finally:
        ensure_accounts(mlflow_server.uri, mlflow_server.accounts)
    assert (status(old), status(new)) == (200, 401)


@pytest.mark.server
def test_no_password_is_in_the_output_or_in_a_command_line(mlflow_server: Server, server_root: Path) -> None:
    shown = (server_root / "mlflow.log").read_text()
    shown += subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "registered-models" in shown or "mlflow" in shown
    assert [name for name, account in mlflow_server.accounts.items() if account.password in shown] == []


@pytest.mark.server
def test_postgresql_listens_on_no_network(mlflow_server: Server) -> None:
    cluster = find_cluster(mlflow_server.root)
    lines = (cluster.folder / "data" / "postmaster.pid").read_text().split("\n")
    port, place, listens = lines[3:6]
    assert (port, place, listens) == ("5432", str(cluster.folder), "")
    assert stat.S_IMODE(cluster.folder.stat().st_mode) == 0o700


@pytest.mark.server
def test_two_servers_do_not_share_a_folder(mlflow_server: Server) -> None:
    with pytest.raises(RegistryError, match="runs here already"), running_server(mlflow_server.root):
        pass


@contextmanager
def started(root: Path) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """`python -m deploy.mlflow_server`, its address, and the lines it has printed so far."""
    command = [sys.executable, "-m", "deploy.mlflow_server", "--root", str(root), "--port", "0", "--workers", "1"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    lines: list[str] = []
    try:
        for line in process.stdout or ():
            lines.append(line)
            if "Ctrl-C stops it" in line:
                break
        uri = next(line.split()[-1] for line in lines if line.startswith("MLflow answers at "))
        yield process, uri, lines
    finally:
        process.kill()
        process.wait()


@pytest.mark.server
def test_a_second_start_finds_everything_again(server_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = server_root / "twice"
    passwords = []
    for number in (signal.SIGTERM, signal.SIGINT):
        with started(root) as (process, uri, lines):
            file = dict(line.split("=", 1) for line in account_file(root, "publisher").read_text().splitlines())
            passwords.append(file["MLFLOW_TRACKING_PASSWORD"])
            assert file["MLFLOW_TRACKING_URI"] == uri
            for key, value in file.items():
                monkeypatch.setenv(key, value)
            if number == signal.SIGTERM:
                connect().create_registered_model("kept")
            assert connect().get_registered_model("kept").name == "kept"
            process.send_signal(number)
            lines += list(process.stdout or ())
            assert process.wait() == 0
            assert not any(password in line for line in lines for password in passwords)
        assert not (root / "postgres" / "data" / "postmaster.pid").exists()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{uri}/health", timeout=5)
    assert passwords[0] == passwords[1]


@pytest.mark.server
def test_what_a_killed_starter_leaves_behind_is_taken_over(server_root: Path) -> None:
    root = server_root / "killed"
    root.mkdir(mode=0o711)
    cluster = find_cluster(root)
    left = (cluster.folder / "data" / "postmaster.pid").read_text
    with server_postgres.running_cluster(cluster):  # and at its end finds it stopped already
        pid = left().split()[0]
        with server_postgres.running_cluster(cluster):
            assert left().split()[0] == pid
        with pytest.raises(FileNotFoundError):
            left()
