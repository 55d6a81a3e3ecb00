"""Releases to be served; the app within this process, and servers as processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

from rejoinder.answer.responder import Options
from rejoinder.parts.opened import OpenRelease, open_model, open_release
from rejoinder.release.proof import Installed
from rejoinder.release.trust import Trust
from rejoinder.serving.batcher import Bounds
from rejoinder.serving.holder import Holder
from rejoinder.serving.service import Service
from rejoinder.store.store import Store
from tests.bundles import KEY, REPLIES, build_whole, pin, put_in_store
from tests.conftest import copy_of
from tests.rankers import build_ranker
from tests.rejoinder.serving.apis import SOON, Api, How, an_api
from tests.rejoinder.serving.servers import Server, start
from tests.rejoinder.serving.services import OpenService

OpenApi = Callable[..., Api]
Copy = Callable[[Installed], Installed]


class Serve(Protocol):
    """Starts a server; `workers` and `store` matter to the test, all other options are the command's own."""

    def __call__(self, *options: str, workers: int = 1, store: Store | None = None, **env: str) -> Server:
        """Start it, and wait until it is ready."""


def _whole(root: Path, seed: int, serial: int) -> Installed:
    """A release as today's are, with a ranker that is used."""
    bundles = build_whole(root, seed, REPLIES[seed:])
    vectorizer, _ = open_model(bundles["model"])
    shutil.rmtree(bundles["ranker"])
    build_ranker(bundles["ranker"], vectorizer, bundles["heads"])
    return pin(bundles, serial=serial)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A whole small release, serial 1; read-only."""
    return _whole(tmp_path_factory.mktemp("whole"), 0, 1)


@pytest.fixture(scope="session")
def next_whole(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The one after it, by another model; read-only."""
    return _whole(tmp_path_factory.mktemp("next"), 1, 2)


@pytest.fixture(scope="session")
def opened_whole(whole: Installed) -> OpenRelease:
    """The whole release, open."""
    return open_release(whole, trust=Trust(KEY.parent))


@pytest.fixture
def copied(tmp_path: Path) -> Copy:
    """Copies a release, so that a test may damage or move it."""
    return lambda installed: copy_of(installed, tmp_path / f"copy-{installed.release.serial}")


@pytest.fixture
def served_store(whole: Installed, copied: Copy, tmp_path: Path) -> Store:
    """A store of the test's own with the whole release."""
    store = Store(tmp_path / "served")
    put_in_store(store, copied(whole))
    return store


@pytest.fixture
def open_api(opened_whole: OpenRelease, tmp_path: Path) -> Iterator[OpenApi]:
    """Opens apps within this process: fields of `How`, and `opened` for another release."""
    with ExitStack() as stack:

        def opened(opened: OpenRelease = opened_whole, **how: Any) -> Api:
            given = How(**how)
            return stack.enter_context(an_api(opened, given.folder or tmp_path / "decisions", given))

        yield opened


@pytest.fixture
def api(open_api: OpenApi) -> Api:
    """An app as it is by default."""
    return open_api()


@pytest.fixture
def open_service(opened_whole: OpenRelease) -> Iterator[OpenService]:
    """Opens services over the whole release, or another; in the end each is closed."""
    with ExitStack() as stack:

        def open_(
            opened: OpenRelease = opened_whole, threads: int = 1, bounds: Bounds | None = None, **how: Any
        ) -> Service:
            service = Service(Holder(opened, options=Options()), threads, bounds, **{"deadline_s": SOON, **how})
            stack.callback(service.close)
            return service

        yield open_


@pytest.fixture
def serve(served_store: Store, tmp_path: Path) -> Iterator[Serve]:
    """Starts servers with options of the test's own; each ends with the test."""
    servers: list[Server] = []

    def served(*options: str, workers: int = 1, store: Store | None = None, **env: str) -> Server:
        home = tmp_path / "home"
        root, trust = (store or served_store).root, KEY.parent
        servers.append(start(root, trust, home, [f"--workers={workers}", "--threads=1", *options], **env))
        return servers[-1].wait_until_ready(workers)

    yield served
    for server in servers:
        _end(server)


@pytest.fixture(scope="module")
def serving(whole: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the command's own options, for all tests of a file: they should leave it as it is."""
    root = tmp_path_factory.mktemp("serving")
    store = Store(root / "store")
    put_in_store(store, copy_of(whole, root / "copy"))
    server = start(store.root, KEY.parent, root / "home").wait_until_ready()
    yield server
    _end(server)


def _end(server: Server) -> None:
    if server.process.poll() is None:
        server.stop()
    with suppress(ProcessLookupError):  # workers of one that was killed
        os.killpg(server.process.pid, signal.SIGKILL)


@pytest.fixture
def second(other: Installed) -> Installed:
    """The other model's release, under another serial."""
    return pin(other.bundles, serial=2)
