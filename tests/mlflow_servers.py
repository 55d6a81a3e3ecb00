"""A real MLflow server for the tests that are marked `server`: one for the whole run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.mlflow_server import Server, running_server
from deploy.mlflow_server.postgres import find_binaries
from registry.errors import RegistryError


@pytest.fixture(scope="session")
def server_root() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can reach, as pytest's are not; skips where PostgreSQL is missing."""
    try:
        find_binaries(None)
    except RegistryError as error:
        pytest.skip(str(error))
    root = Path(tempfile.mkdtemp(prefix="rejoinder-server-"))
    root.chmod(0o711)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def mlflow_server(server_root: Path) -> Iterator[Server]:
    """The server; its output is in `mlflow.log` of its root."""
    root = server_root / "shared"
    with running_server(root, log=server_root / "mlflow.log") as server:
        yield server


@pytest.fixture
def server_env(mlflow_server: Server, registry_name: str, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Points MLflow's clients at the server, as the publisher; after `registry_name` has pointed them elsewhere."""
    act_as(mlflow_server, "publisher", monkeypatch)
    monkeypatch.setenv("REJOINDER_TEST_ARTIFACTS", str(mlflow_server.root / "artifacts"))
    return mlflow_server


def act_as(server: Server, username: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow's clients in this process work as an account."""
    for key, value in server.environment(username).items():
        monkeypatch.setenv(key, value)
