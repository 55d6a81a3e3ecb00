"""Tests see neither the checkout's state nor a user's environment, and what reaches for it fails."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from registry.mlflow.uri import tracking_uri
from rejoinder.home import home
from rejoinder.store.store import Store
from tests.isolation import KEPT, STATE, clean
from tests.reach import ROOT

USERS = {
    "REJOINDER_STORE": "/nonexistent",
    "REJOINDER_SIGNING_KEY": "/nonexistent",
    "REJOINDER_ANONYMIZE_KEY": "none",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    "PREFECT_HOME": "/nonexistent",
    "DVC_CACHE_DIR": "/nonexistent",
    "GIT_DIR": "/nonexistent",
    "A_NAME_NOBODY_KNOWS": "1",
}
TOUCHES: dict[str, Callable[[Path], object]] = {
    "read": Path.read_bytes,
    "write": lambda path: path.write_text(""),
    "list": lambda path: list(path.iterdir()),
    "make": Path.mkdir,
    "remove": Path.unlink,
    "rename from": lambda path: path.rename("elsewhere"),
    "rename to": lambda path: Path("elsewhere").rename(path),
    "database": sqlite3.connect,
}


@pytest.mark.parametrize("name", STATE)
@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_whatever_touches_the_checkouts_state_fails(name: str, touch: Callable[[Path], object]) -> None:
    for path in (ROOT / name, ROOT / name / "file"):
        with pytest.raises(pytest.fail.Exception, match="state of the checkout"):
            touch(path)


def test_a_detour_does_not_help() -> None:
    with pytest.raises(pytest.fail.Exception, match="open on the state of the checkout"):
        Path(f"{ROOT}/docs/../.rejoinder/./accepted/snapshot.json").read_bytes()


def test_code_that_swallows_every_exception_cannot_swallow_this_one() -> None:
    with pytest.raises(pytest.fail.Exception), suppress(Exception):
        (ROOT / "mlflow.db").read_bytes()


def test_sources_and_folders_elsewhere_are_free(tmp_path: Path) -> None:
    assert (ROOT / "dvc.yaml").read_bytes()
    assert list((ROOT / "docs").iterdir())
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "dvc.lock").write_text("free")


def test_what_is_not_known_to_be_needed_is_removed() -> None:
    environment = {**USERS, "PATH": "/bin", "LC_ALL": "C.UTF-8", "http_proxy": "p", "REJOINDER_TEST_KEY": "k"}
    clean(environment)
    assert set(environment) == {"PATH", "LC_ALL", "http_proxy", "REJOINDER_TEST_KEY"}
    assert not any(KEPT.fullmatch(name) for name in USERS)


def test_every_default_lies_in_the_tests_own_folder(own_folder: Path) -> None:
    assert Path.cwd() == own_folder
    assert home() == own_folder / ".rejoinder"
    assert Store.default().root == own_folder / ".rejoinder" / "store"
    assert tracking_uri() == f"sqlite:///{own_folder}/mlflow.db"
    assert {name: os.environ.get(name) for name in ("GIT_DIR", "DVC_CACHE_DIR", "A_NAME_NOBODY_KNOWS")} == {
        "GIT_DIR": None, "DVC_CACHE_DIR": None, "A_NAME_NOBODY_KNOWS": None,
    }  # fmt: skip


def test_a_process_that_a_test_starts_stands_there_too(own_folder: Path) -> None:
    code = (
        "from rejoinder.store.store import Store; import rejoinder; print(Store.default().root, rejoinder.__file__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        str(own_folder / ".rejoinder" / "store"),
        str(ROOT / "rejoinder" / "__init__.py"),
    ]


def test_a_users_variables_do_not_reach_the_tests() -> None:
    named = f"{Path(__file__).relative_to(ROOT)}::{test_every_default_lies_in_the_tests_own_folder.__name__}"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", named]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **USERS}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
