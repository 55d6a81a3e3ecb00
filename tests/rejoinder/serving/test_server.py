"""The server as a process: it comes up, follows its store, and goes without losing an answer."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from registry.pull.install import activate, locked
from rejoinder.release.proof import Installed
from rejoinder.serving.decisions.read import Logged, read_decisions
from rejoinder.store.store import Store
from tests.bundles import KEY, pin, put_in_store
from tests.conftest import copy_of
from tests.rejoinder.serving.apis import CHAT, events, figure, until
from tests.rejoinder.serving.conftest import Copy, Serve
from tests.rejoinder.serving.servers import Server, start

CANARY = "xylophone"
#: An answer waits so long for company that it is in flight while something else happens.
SLOW = ("--batch-wait-ms=900", "--deadline-ms=5000")


@contextmanager
def in_flight(server: Server, count: int = 1, **fields: object) -> Iterator[list[Future[httpx.Response]]]:
    """Chats that are being answered; they have reached the server."""
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(server.chat, "hello", **fields) for _ in range(count)]
        time.sleep(0.3)
        yield asked


def make_current(store: Store, installed: Installed) -> None:
    """Make a release that is installed the current one, as a pull does."""
    with locked(store):
        activate(store, installed.release)


def served(server: Server) -> str:
    """Which release answers."""
    return str(server.chat("hello").json()["model"])


def test_a_server_tells_that_it_is_ready_once_it_answers(serve: Serve) -> None:
    server = serve()
    assert server.get("/ready").json() == {"status": "ready"}
    [ready] = server.told("ready")
    assert ready["release"].startswith("rejoinder #1 (")
    assert ready["seconds"] < 10
    assert served(server) == "rejoinder@1"


def test_it_ends_with_zero_and_delivers_what_is_in_flight(serve: Serve) -> None:
    server = serve(*SLOW)
    with in_flight(server, 3) as asked:
        began = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < 5
    assert [answered.result().status_code for answered in asked] == [200] * 3
    assert [server.told(event) != [] for event in ("draining", "ended")] == [True, True]
    assert server.told("draining")[0]["in_flight"] == 3


def test_a_stream_in_flight_is_told_to_its_end(serve: Serve) -> None:
    server = serve(*SLOW)
    with in_flight(server, stream=True) as [asked]:
        assert server.stop(signal.SIGINT) == 0
    assert events(asked.result().text)[-1] == "[DONE]"


def test_who_is_told_to_end_twice_ends_no_less_gently(serve: Serve) -> None:
    server = serve(*SLOW)
    with in_flight(server) as [asked]:
        for _ in range(3):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        assert server.stop() == 0
    assert asked.result().status_code == 200


def test_a_client_that_never_ends_its_request_does_not_keep_it(serve: Serve) -> None:
    server = serve()
    with httpx.Client() as idle:
        assert idle.get(f"{server.url}/health").status_code == 200
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5


def test_it_says_that_it_will_close_before_it_does_and_answers_until_then(serve: Serve) -> None:
    server = serve("--drain-delay=1")
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("draining")
    told = server.get("/ready")
    assert (told.status_code, told.json()["error"]["code"]) == (503, "draining")
    assert server.get("/health").status_code == 200
    assert served(server) == "rejoinder@1"
    assert server.stop() == 0


def test_what_was_answered_and_confirmed_is_in_the_log_after_its_end(serve: Serve) -> None:
    server = serve()
    told = server.chat("hello").json()
    assert server.post("/v1/reactions", {"completion_id": told["id"], "reaction": "love"}).status_code == 200
    server.stop()
    found = read_decisions(server.home / "decisions")
    records = [item.record for item in found if isinstance(item, Logged)]
    assert [(record["kind"], record["completion"]) for record in records] == [
        ("answer", told["id"]),
        ("reaction", told["id"]),
    ]


def test_a_restarted_server_knows_the_ids_of_before(serve: Serve) -> None:
    first = serve()
    completion = first.chat("hello").json()["id"]
    first.stop()
    again = serve()
    assert again.post("/v1/reactions", {"completion_id": completion, "reaction": "love"}).status_code == 200


def test_another_release_takes_over_without_a_failed_request(
    serve: Serve, served_store: Store, next_whole: Installed, copied: Copy
) -> None:
    server = serve()
    statuses: list[int] = []
    models: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client() as client:
            while not stop.is_set():
                body = {"messages": [{"role": "user", "content": "hello"}]}
                told = client.post(server.url + CHAT, json=body, timeout=10)
                statuses.append(told.status_code)
                models.append(told.json()["model"])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    put_in_store(served_store, copied(next_whole))
    assert server.wait_for("swapped")["release"].startswith("rejoinder #2 (")
    assert until(lambda: models[-1] == "rejoinder@2")
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert set(models) == {"rejoinder@1", "rejoinder@2"}
    told = server.get("/metrics").text
    assert figure(told, "rejoinder_swaps_total", outcome="done") == 1
    assert figure(told, "rejoinder_release_info", serial="2") == 1
    assert figure(told, "rejoinder_release_info", serial="1") == 0
    assert server.get("/info").json()["swaps"] == 1


def test_a_release_that_fails_to_open_leaves_the_old_one_and_is_tried_again_once_it_is_repaired(
    serve: Serve, served_store: Store, whole: Installed, next_whole: Installed, copied: Copy
) -> None:
    store = served_store
    put_in_store(store, copied(next_whole))
    make_current(store, whole)
    server = serve()
    part = store.bundle_dir(next_whole.release.bundles["ranker"]) / "words.npy"
    right = part.read_bytes()
    part.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    make_current(store, next_whole)
    failed = server.wait_for("swap failed")
    assert "rejoinder #1" in failed["message"]
    assert "goes on serving" in failed["message"]
    assert served(server) == "rejoinder@1"
    assert figure(server.get("/metrics").text, "rejoinder_swaps_total", outcome="failed") == 1
    part.write_bytes(right)
    assert server.wait_for("swapped")["release"].startswith("rejoinder #2 (")
    assert served(server) == "rejoinder@2"


def test_a_release_that_expired_serves_on_and_says_when(serve: Serve, whole: Installed, tmp_path: Path) -> None:
    expired = pin(copy_of(whole, tmp_path / "short").bundles, expires="2026-01-02T00:00:00+00:00")
    store = Store(tmp_path / "expired")
    put_in_store(store, expired)
    server = serve(store=store)
    assert served(server) == "rejoinder@1"
    assert server.get("/info").json()["expires"] == "2026-01-02T00:00:00+00:00"


def test_a_server_told_to_stay_with_its_release_does(
    serve: Serve, served_store: Store, next_whole: Installed, copied: Copy
) -> None:
    server = serve("--no-follow")
    put_in_store(served_store, copied(next_whole))
    time.sleep(1.2)
    assert served(server) == "rejoinder@1"
    assert server.told("swapped") == []


def test_no_line_that_it_says_holds_what_somebody_sent(serve: Serve) -> None:
    server = serve()
    server.chat(CANARY, user=CANARY, metadata={"conversation_id": CANARY})
    server.post(CHAT, {"messages": [{"role": CANARY, "content": CANARY}]})
    server.get(f"/{CANARY}?{CANARY}={CANARY}", headers={"X-Secret": CANARY})
    with httpx.Client() as client:
        client.request("XYLOPHONE", server.url + CHAT)
    server.stop()
    assert CANARY not in "".join(server.lines).lower()
    assert all(line.startswith("{") for line in server.lines), server.lines
    assert server.told("warning")[0]["message"] == "Invalid HTTP request received."


def test_a_damaged_release_is_not_served(served_store: Store, whole: Installed, tmp_path: Path) -> None:
    manifest = served_store.bundle_dir(whole.release.bundles["index"]) / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    server = start(served_store.root, KEY.parent, tmp_path / "home")
    assert server.process.wait(20) != 0
    assert server.stop() != 0
    assert "ready" not in "".join(server.lines)
    assert "Traceback" not in "".join(server.lines)


@pytest.mark.parametrize("options", [[], ["--workers=2"]])
def test_an_empty_store_is_not_served(tmp_path: Path, options: list[str]) -> None:
    server = start(tmp_path / "empty", KEY.parent, tmp_path / "home", options)
    assert server.process.wait(20) != 0
    server.stop()
    assert "no release is installed" in "".join(server.lines)
    assert "Traceback" not in "".join(server.lines)
