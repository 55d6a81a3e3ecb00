"""What several test files share."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import ExitStack, chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import settings

from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.proof import Installed
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from tests import isolation
from tests.bundles import KEY, build_bundles, pin, put_in_store
from tests.mlflow_servers import mlflow_server, server_env, server_root  # noqa: F401 (fixtures)
from tests.reach import ROOT

# On a shared machine the time of one example says nothing.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Before test modules are imported: leave the checkout and the user's environment; come back at the end."""
    run = ExitStack()
    config.add_cleanup(run.close)
    folder = Path(run.enter_context(TemporaryDirectory(prefix="rejoinder-tests-")))
    run.enter_context(patch.dict(os.environ))
    isolation.clean(os.environ)
    os.environ.update(isolation.places(folder))
    # Processes that tests start import the code under test, wherever they stand.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    run.enter_context(chdir(folder))
    isolation.guard()


@pytest.fixture(autouse=True)
def own_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own, which holds its home and its MLflow."""
    folder = tmp_path_factory.mktemp("own")
    monkeypatch.chdir(folder)
    for name, value in isolation.places(folder).items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture(autouse=True)
def trust(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Trust:
    """A trust folder of the test's own that believes the key that signs the tests' releases."""
    root = own_folder / "trust"
    root.mkdir()
    shutil.copy(KEY.with_suffix(".pub"), root)
    monkeypatch.setenv("REJOINDER_TRUST", str(root))
    monkeypatch.setenv("REJOINDER_SIGNING_KEY", str(KEY))
    return Trust(root)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A small release; read-only."""
    return pin(build_bundles(tmp_path_factory.mktemp("pristine")))


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A release of the same dimension and texts by another model; read-only."""
    return pin(build_bundles(tmp_path_factory.mktemp("foreign"), seed=1))


@pytest.fixture(scope="session")
def opened(pristine: Installed) -> OpenRelease:
    """The small release, open."""
    return open_release(pristine, trust=Trust(KEY.parent))


def copy_of(installed: Installed, root: Path) -> Installed:
    """The same release in other directories."""
    bundles = {kind: Path(shutil.copytree(path, root / kind)) for kind, path in installed.bundles.items()}
    folder = Path(shutil.copytree(installed.folder, root / "release"))
    return Installed(installed.release, folder, bundles)


@pytest.fixture
def mine(pristine: Installed, tmp_path: Path) -> Installed:
    """A copy of the small release that a test may damage."""
    return copy_of(pristine, tmp_path / "mine")


@pytest.fixture
def other(foreign: Installed, tmp_path: Path) -> Installed:
    """A copy of the other model's release that a test may damage."""
    return copy_of(foreign, tmp_path / "other")


@pytest.fixture
def store(mine: Installed, tmp_path: Path) -> Store:
    """A store with the small release installed."""
    store = Store(tmp_path / "store")
    put_in_store(store, mine)
    return store


@pytest.fixture(scope="session")
def mlflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one MLflow database of this test run lies: setting one up takes seconds."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture
def registry_name(mlflow_folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Points MLflow at the test database; gives every test a release name of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{mlflow_folder / 'mlflow.db'}")
    return re.sub(r"\W+", "-", request.node.nodeid.removeprefix("tests/"))[:110].strip("-")
