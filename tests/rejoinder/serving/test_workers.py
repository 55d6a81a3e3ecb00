"""Several processes share a port: all answer, one that dies is started anew, and their figures are one."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from rejoinder.release.proof import Installed
from rejoinder.serving.decisions.read import Logged, read_decisions
from rejoinder.store.store import Store
from tests.bundles import put_in_store
from tests.rejoinder.serving.apis import SOON, figure, until
from tests.rejoinder.serving.conftest import Copy, Serve
from tests.rejoinder.serving.servers import Server
from tests.rejoinder.serving.test_server import SLOW, in_flight


def workers_of(server: Server) -> set[int]:
    """Numbers of the workers that have answered, by the files of their logs."""
    names = [path.name for path in (server.home / "decisions").glob("*.jsonl")]
    return {int(name.split("-")[1].removeprefix("w")) for name in names}


def pids_of(server: Server) -> dict[int, int]:
    """Process of each worker that has answered."""
    names = sorted(
        path.name.removesuffix(".jsonl").split("-") for path in (server.home / "decisions").glob("*.jsonl")
    )
    return {int(worker.removeprefix("w")): int(pid) for _, worker, pid, _ in names}


def ask_until_all_have_answered(server: Server, count: int = 2) -> int:
    """Ask, each time by another connection, until so many workers have answered; how often that took."""
    asked = 0
    while len(workers_of(server)) < count and asked < 400:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: server.chat("hello").status_code, range(8)))
        assert set(answers) == {200}
        asked += len(answers)
        time.sleep(0.1)  # the log is written within that time
    return asked


def chats(server: Server) -> float:
    """How many chats all workers have counted."""
    return figure(server.get("/metrics").text, "rejoinder_requests_total", endpoint="/v1/chat/completions")


def test_two_workers_answer_are_counted_together_and_one_that_is_killed_is_started_anew(serve: Serve) -> None:
    server = serve(workers=2)
    assert {line["worker"] for line in server.told("ready")} == {1, 2}
    asked = ask_until_all_have_answered(server)
    assert workers_of(server) == {1, 2}
    assert until(lambda: chats(server) == asked)
    assert figure(server.get("/metrics").text, "rejoinder_release_info") == 1
    os.kill(pids_of(server)[1], signal.SIGKILL)
    assert server.wait_for("worker died") == server.told("worker died")[0]
    assert server.told("worker died")[0]["exitcode"] == -signal.SIGKILL
    assert server.chat("hello").status_code == 200
    assert server.wait_for("ready", 3)["worker"] == 1
    assert until(lambda: chats(server) == asked + 1)  # what the dead one counted stays
    assert server.stop() == 0


def test_an_id_that_one_worker_made_is_known_to_the_other(serve: Serve) -> None:
    server = serve(workers=2)
    ask_until_all_have_answered(server)
    found = [item.record for item in read_decisions(server.home / "decisions") if isinstance(item, Logged)]
    ids = [record["completion"] for record in found][:20]
    body = [{"completion_id": name, "reaction": "love"} for name in ids]
    assert {server.post("/v1/reactions", each).status_code for each in body} == {200}


def test_all_workers_deliver_what_is_in_flight(serve: Serve) -> None:
    server = serve(*SLOW, workers=2)
    with in_flight(server, 6) as asked:
        assert server.stop() == 0
    assert [answered.result().status_code for answered in asked] == [200] * 6
    assert len(server.told("ended")) == 2


def test_a_signal_to_the_whole_group_loses_no_answer_either(serve: Serve) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # as systemd, and as Ctrl-C in a terminal
        server = serve(*SLOW, workers=2)
        with in_flight(server, 4) as asked:
            os.killpg(server.process.pid, number)
            assert server.process.wait(SOON) == 0
        assert [answered.result().status_code for answered in asked] == [200] * 4


def test_every_worker_takes_over_a_new_release(
    serve: Serve, served_store: Store, next_whole: Installed, copied: Copy
) -> None:
    server = serve(workers=2)
    put_in_store(served_store, copied(next_whole))
    server.wait_for("swapped", 2)
    with httpx.Client(timeout=SOON) as client:
        told = client.get(f"{server.url}/metrics").text
    assert figure(told, "rejoinder_release_info", serial="2") == 1
    assert figure(told, "rejoinder_swaps_total", outcome="done") == 2


def test_workers_do_not_outlive_who_started_them(serve: Serve) -> None:
    server = serve(workers=2)
    ask_until_all_have_answered(server)
    pids = pids_of(server).values()
    server.process.kill()
    server.process.wait(SOON)
    assert until(lambda: not any(_is_alive(pid) for pid in pids))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
