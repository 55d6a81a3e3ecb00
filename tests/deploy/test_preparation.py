"""Before a server runs: where its cluster lies, which PostgreSQL it takes, secrets, settings, a free port."""

from __future__ import annotations

import configparser
import socket
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from deploy.mlflow_server import postgres as server_postgres
from deploy.mlflow_server import running_server
from deploy.mlflow_server.__main__ import main
from deploy.mlflow_server.accounts import (
    ACCOUNTS,
    Account,
    account_file,
    read_accounts,
    secret_of,
    write_settings,
)
from deploy.mlflow_server.postgres import Cluster, find_binaries, find_cluster
from registry.errors import RegistryError


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
