"""The server keeps its promises: who may do what, where secrets lie, and that stopping it is harmless."""

from __future__ import annotations

import configparser
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from deploy.mlflow_server import Server, running_server
from deploy.mlflow_server import postgres as server_postgres
from deploy.mlflow_server.__main__ import main
from deploy.mlflow_server.accounts import (
    ACCOUNTS,
    Account,
    account_file,
    ensure_accounts,
    read_accounts,
    secret_of,
    write_settings,
)
from deploy.mlflow_server.postgres import Cluster, find_binaries, find_cluster
from registry.errors import RegistryError
from registry.mlflow.connection import connect
from tests.mlflow_servers import act_as
from tests.reach import ROOT

REGISTRY = "/api/2.0/mlflow/registered-models/search"


def installed(root: Path, *versions: str) -> Path:
    """A folder that looks like Debian's with these versions of PostgreSQL."""
    for version in versions:
        (root / version / "bin").mkdir(parents=True)
        (root / version / "bin" / "initdb").touch()
    return root


def someone(monkeypatch: pytest.MonkeyPatch, uid: int, home: Path) -> None:
    """Pretend to be another system user; root finds `postgres` at home in a folder of that name."""
    user = SimpleNamespace(pw_uid=uid, pw_name="someone", pw_dir=str(home))
    system = SimpleNamespace(pw_uid=101, pw_name="postgres", pw_dir=str(home / "postgres"))
    monkeypatch.setattr("pwd.getpwuid", lambda _: user)
    monkeypatch.setattr("pwd.getpwnam", lambda _: system)


def test_a_missing_postgresql_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server_postgres, "_DEBIAN", tmp_path)
    with pytest.raises(RegistryError, match=r"apt-get install postgresql$"):
        find_cluster(tmp_path)
    installed(tmp_path, "15")
    with pytest.raises(RegistryError, match=r"apt-get install postgresql-14$"):
        find_binaries("14")


def test_a_new_cluster_takes_the_highest_version_an_old_one_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server_postgres, "_DEBIAN", installed(tmp_path / "debian", "9.6", "15", "17"))
    monkeypatch.setattr(server_postgres, "_reachable", lambda _: True)
    root = Path("/srv/rejoinder")
    assert find_cluster(root).binaries.parent.name == "17"
    version = tmp_path / "postgres" / "data" / "PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("15\n")
    assert find_cluster(tmp_path).binaries.parent.name == "15"


def test_root_puts_the_cluster_where_its_user_can_reach_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server_postgres, "_DEBIAN", installed(tmp_path / "debian", "15"))
    someone(monkeypatch, 0, Path("/home"))
    assert find_cluster(Path("/srv/x")) == Cluster(Path("/srv/x/postgres"), tmp_path / "debian/15/bin", "postgres")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    places = [find_cluster(root).folder for root in (closed / "a", closed / "b", Path("/srv") / ("x" * 100))]
    assert {place.parent for place in places} == {Path("/home/postgres")}
    assert len(set(places)) == 3


@pytest.mark.parametrize("name", ["x" * 100, "semi;colon", "$(touch owned)"])
def test_a_root_that_no_socket_or_shell_takes_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr(server_postgres, "_DEBIAN", installed(tmp_path, "15"))
    someone(monkeypatch, 1000, tmp_path)
    with pytest.raises(RegistryError, match="107"):
        find_cluster(Path("/srv") / name)


def test_secrets_are_random_kept_and_for_their_owner_alone(tmp_path: Path) -> None:
    first = read_accounts(tmp_path, "http://a:1")
    again = read_accounts(tmp_path, "http://b:2")
    assert first == again
    assert len({account.password for account in first.values()}) == len(ACCOUNTS)
    assert "MLFLOW_TRACKING_URI=http://b:2" in account_file(tmp_path, "puller").read_text()
    key = tmp_path / "credentials" / "flask.key"
    assert secret_of(key) == secret_of(key)
    files = [*(tmp_path / "credentials").iterdir()]
    assert len(files) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "credentials").stat().st_mode) == 0o700


def test_a_deleted_account_file_means_a_new_password(tmp_path: Path) -> None:
    before = read_accounts(tmp_path, "http://a:1")
    account_file(tmp_path, "puller").unlink()
    after = read_accounts(tmp_path, "http://a:1")
    assert before["puller"] != after["puller"]
    assert before["publisher"] == after["publisher"]


def test_a_password_is_not_shown_with_its_account() -> None:
    assert "hidden" not in repr(Account("puller", "hidden"))


def test_mlflow_reads_the_settings_as_they_were_meant(tmp_path: Path) -> None:
    path = tmp_path / "basic_auth.ini"
    write_settings(path, "postgresql://mlflow@/auth?host=/a%20b", Account("admin", "pass"))
    read = configparser.ConfigParser()  # with interpolation, as MLflow reads it
    read.read(path)
    assert read["mlflow"]["database_uri"] == "postgresql://mlflow@/auth?host=/a%20b"
    assert read["mlflow"]["default_permission"] == "NO_PERMISSIONS"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_port_in_use_is_refused_before_anything_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(server_postgres, "_DEBIAN", installed(tmp_path / "debian", "15"))
    monkeypatch.setattr(server_postgres, "_reachable", lambda _: True)
    someone(monkeypatch, 0, tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RegistryError, match="expected a free port"), running_server(tmp_path / "root", port):
            pass
    assert not (tmp_path / "root").exists()


def test_help_shows_examples() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    assert "python -m deploy.mlflow_server --host 0.0.0.0 --allowed-hosts" in shown
    assert all(f"--{option}" in shown for option in ("root", "port", "host"))


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
