"""A real MLflow server: PostgreSQL, authentication on, artifacts through the server; stopped cleanly by Ctrl-C.

ROOT/postgres/        the database cluster (see deploy/mlflow_server/postgres.py for when it lies elsewhere)
ROOT/artifacts/       what was uploaded
ROOT/credentials/     admin.env, publisher.env, puller.env, flask.key, basic_auth.ini: mode 0600
ROOT/lock             held while a server runs
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.mlflow_server.accounts import (
    Account,
    ensure_accounts,
    read_accounts,
    secret_of,
    write_settings,
)
from deploy.mlflow_server.postgres import Cluster, find_cluster, running_cluster
from registry.errors import RegistryError

_START_SECONDS = 300  # MLflow imports for 5 CPU-seconds a process and sets up two databases the first time
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers.

    Attributes:
        uri: its address.
        root: its folder.
        accounts: admin, publisher and puller.
        process: MLflow.
    """

    uri: str
    root: Path
    accounts: Mapping[str, Account]
    process: subprocess.Popen[bytes]

    def environment(self, username: str) -> dict[str, str]:
        """What MLflow's clients read from the environment to work as an account."""
        account = self.accounts[username]
        return {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_USERNAME": account.username,
            "MLFLOW_TRACKING_PASSWORD": account.password,
        }


@contextmanager
def running_server(
    root: Path,
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    workers: int = 1,
    allowed_hosts: str | None = None,
    log: Path | None = None,
) -> Iterator[Server]:
    """Run a server; what an earlier one left in the folder is used again.

    Args:
        root: its folder; made if missing.
        port: where it listens; 0 takes any free one.
        host: the interface it listens on.
        workers: processes that answer; each takes about 300 MB.
        allowed_hosts: names by which clients may address it, beyond this machine's and private addresses.
        log: where MLflow's output goes; None for our own standard output.

    Yields:
        The server, once it answers and its accounts are in order.

    Raises:
        RegistryError: if PostgreSQL is missing, the port or the folder is in use, or something does not start.
    """
    root = root.resolve()
    cluster = find_cluster(root)
    port = _free_port(host, port)
    uri = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104  (compared, not bound)
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_sole_server(root))
        stack.enter_context(running_cluster(cluster))
        accounts = read_accounts(root, uri)
        words = ["--host", host, "--port", str(port), "--workers", str(workers)]
        words += ["--allowed-hosts", allowed_hosts] if allowed_hosts else []
        process = stack.enter_context(_running_mlflow(root, cluster, accounts["admin"], words, log))
        _wait(process, uri)
        ensure_accounts(uri, accounts)
        yield Server(uri, root, accounts, process)


def _free_port(host: str, port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise RegistryError(
                f"{host}:{port}: expected a free port, got: {error.strerror}. Next: end what listens there "
                "(a server whose starter was killed goes on alone), or take another --port"
            ) from None
        return int(probe.getsockname()[1])


@contextmanager
def _sole_server(root: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(root / "lock", timeout=0):
            yield
    except Timeout:
        raise RegistryError(
            f"{root}: a server runs here already. Next: use it, stop it, or take another --root"
        ) from None


@contextmanager
def _running_mlflow(
    root: Path, cluster: Cluster, admin: Account, words: list[str], log: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    settings = root / "credentials" / "basic_auth.ini"
    write_settings(settings, cluster.uri("auth"), admin)
    artifacts = root / "artifacts"
    artifacts.mkdir(mode=0o700, exist_ok=True)
    stores = ["--backend-store-uri", cluster.uri("tracking"), "--artifacts-destination", artifacts.as_uri()]
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--enable-workspaces"]
    with ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log else None
        process = subprocess.Popen(
            [*command, *stores, *words],
            cwd=root,
            env=_environment(settings, secret_of(root / "credentials" / "flask.key")),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop MLflow before PostgreSQL
        )
        try:
            yield process
        finally:
            _stop(process)


def _environment(settings: Path, flask_key: str) -> dict[str, str]:
    # A server must not take its own clients' settings for its own.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return kept | {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": flask_key,
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def _wait(process: subprocess.Popen[bytes], uri: str) -> None:
    import requests

    end = time.monotonic() + _START_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < end and process.poll() is None:
            with suppress(requests.RequestException):
                if session.get(f"{uri}/health", timeout=5).status_code == 200:
                    return
            time.sleep(0.2)
    got = "no answer" if process.returncode is None else f"its end with status {process.returncode}"
    raise RegistryError(
        f"MLflow at {uri}: expected an answer within {_START_SECONDS} s, got {got}. Next: read its output"
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    # Its workers are in its group, and some may outlive it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
