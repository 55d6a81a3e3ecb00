"""One promoter at a time: with a local database, and over HTTP."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.mlflow_server import Server
from registry.errors import PromoterError
from registry.mlflow import promotion_lock as module
from registry.mlflow.connection import connect
from registry.mlflow.promotion_lock import Timing, _Ticket, promotion_lock
from registry.mlflow.uri import tracking_uri
from tests.mlflow_servers import act_as
from tests.reach import ROOT

PATIENT = Timing(wait=300)
#: Counts in a file without any lock: two at once lose a count.
WORKER = """
import sys, time
from pathlib import Path
from registry.mlflow.promotion_lock import Timing, promotion_lock
from registry.mlflow.uri import tracking_uri
from registry.mlflow.connection import connect

name, counter, rounds, hold = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "hold"
client = None if tracking_uri().startswith("sqlite") else connect()
for _ in range(rounds):
    with promotion_lock(client, name, Timing(wait=300)) as fence:
        if hold:
            print("held", flush=True)
            sys.stdin.read()
        seen = int(counter.read_text())
        time.sleep(0.02)
        fence.check()
        counter.write_text(str(seen + 1))
"""


def worker(name: str, counter: Path, rounds: int, how: str = "count") -> subprocess.Popen[str]:
    """A promoter in a process of its own."""
    words = [sys.executable, "-c", WORKER, name, str(counter), str(rounds), how]
    return subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    path = tmp_path / "counter"
    path.write_text("0")
    return path


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local database's address; the lock needs no database."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tmp_path / "mlflow.db"


def count(client: Any, name: str, counter: Path, rounds: int) -> None:
    """What a worker does, in a thread."""
    for _ in range(rounds):
        with promotion_lock(client, name, PATIENT) as fence:
            seen = int(counter.read_text())
            time.sleep(0.02)
            fence.check()
            counter.write_text(str(seen + 1))


def test_promoters_of_other_names_do_not_wait(local: Path) -> None:
    met = Barrier(4, timeout=60)

    def meet(name: str) -> None:
        with promotion_lock(None, name, Timing(wait=0)):
            met.wait()  # broken unless all four are inside at once

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(meet, ["a", "b", "c", "d"]))
    assert not met.broken


def test_threads_with_a_local_database_take_turns(local: Path, counter: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: count(None, "name", counter, 3), range(8)))
    assert int(counter.read_text()) == 24


def test_processes_with_a_local_database_take_turns(local: Path, counter: Path) -> None:
    workers = [worker("name", counter, 5) for _ in range(4)]
    assert [process.wait() for process in workers] == [0] * 4
    assert int(counter.read_text()) == 20


def test_a_killed_promoter_frees_the_local_lock(local: Path, counter: Path) -> None:
    holder = worker("name", counter, 1, "hold")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(PromoterError, match="nothing was changed"), promotion_lock(None, "name", Timing(wait=0.1)):
        pass
    with promotion_lock(None, "another", Timing(wait=0.1)) as fence:
        fence.check()
        fence.renew()
    holder.kill()
    holder.wait()
    with promotion_lock(None, "name", Timing(wait=5)):
        assert counter.read_text() == "0"


class Clock:
    """Our clock, which a test may put forward; pauses really pause."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=time.sleep))
    return clock


@pytest.fixture(params=["local", pytest.param("server", marks=pytest.mark.server)])
def client(request: pytest.FixtureRequest, registry_name: str) -> Any:
    """Tickets work with whatever numbers versions: a local database does so without a server."""
    if request.param == "server":
        request.getfixturevalue("server_env")
    return connect()


def held(client: Any, name: str, timing: Timing = PATIENT) -> _Ticket:
    """A promoter that holds, and never lets go by itself."""
    ticket = _Ticket(client, f"{name}-promoters", timing)
    ticket.take()
    ticket.wait()
    return ticket


def tickets(client: Any, name: str) -> list[Any]:
    """What is left of them."""
    return list(client.search_model_versions(f"name='{name}-promoters'"))


def test_a_holder_keeps_the_others_out_until_it_lets_go(client: Any, registry_name: str) -> None:
    first, second = held(client, registry_name), _Ticket(client, f"{registry_name}-promoters", Timing(wait=0.5))
    second.take()
    with pytest.raises(PromoterError, match="nothing was changed"):
        second.wait()
    first.check()
    first.release()
    second.wait()
    second.check()
    second.release()
    assert tickets(client, registry_name) == []


def test_an_expired_ticket_is_passed_over_and_closed(client: Any, registry_name: str, clock: Clock) -> None:
    dead = held(client, registry_name)
    newcomer = _Ticket(client, f"{registry_name}-promoters", Timing(wait=0))
    newcomer.take()
    newcomer._offset += PATIENT.lease + PATIENT.grace + 1  # as if the server had counted on meanwhile
    newcomer.wait()
    newcomer.check()
    assert [int(ticket.version) for ticket in tickets(client, registry_name)] == [newcomer._number]
    dead._began = clock.monotonic()  # even if it believed itself in time
    with pytest.raises(PromoterError, match="run out"):
        dead.check()
    with pytest.raises(PromoterError, match="run out"):
        dead.renew()
    newcomer.release()


def test_our_own_clock_does_not_decide_when_others_expire(client: Any, registry_name: str, clock: Clock) -> None:
    alive = held(client, registry_name)
    clock.ahead += 3600
    hasty = _Ticket(client, f"{registry_name}-promoters", Timing(wait=0))
    hasty.take()
    with pytest.raises(PromoterError, match="nothing was changed"):
        hasty.wait()
    hasty.release()
    assert [int(ticket.version) for ticket in tickets(client, registry_name)] == [alive._number]


def test_an_expired_ticket_is_left_alone_during_its_grace(client: Any, registry_name: str) -> None:
    slow = held(client, registry_name)
    eager = _Ticket(client, f"{registry_name}-promoters", Timing(wait=0))
    eager.take()
    eager._offset += PATIENT.lease + PATIENT.grace / 2
    with pytest.raises(PromoterError):
        eager.wait()
    slow.check()
    eager.release()
    slow.release()


def test_a_holder_whose_lease_has_run_out_is_stopped(client: Any, registry_name: str, clock: Clock) -> None:
    ticket = held(client, registry_name)
    clock.ahead += PATIENT.lease - 10
    ticket.check()
    ticket.renew()
    clock.ahead += PATIENT.lease - 10
    ticket.check()
    clock.ahead += 11
    with pytest.raises(PromoterError, match="run out"):
        ticket.check()
    with pytest.raises(PromoterError, match="run out"):
        ticket.renew()
    ticket.release()
    assert tickets(client, registry_name) == []


def test_a_renewal_counts_for_the_others(client: Any, registry_name: str) -> None:
    first = held(client, registry_name, Timing(lease=30))
    before = tickets(client, registry_name)[0].last_updated_timestamp
    time.sleep(0.01)
    first.renew()
    assert tickets(client, registry_name)[0].last_updated_timestamp > before
    first.release()


def test_a_renewal_whose_answer_comes_too_late_is_refused(
    client: Any, registry_name: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = held(client, registry_name)
    update = client.update_model_version

    def slow(*args: Any, **settings: Any) -> Any:
        version = update(*args, **settings)
        clock.ahead += PATIENT.lease
        return version

    monkeypatch.setattr(client, "update_model_version", slow)
    with pytest.raises(PromoterError, match="run out"):
        ticket.renew()
    ticket.release()


def test_a_ticket_whose_answer_was_lost_does_not_block_its_owner(client: Any, registry_name: str) -> None:
    ticket = _Ticket(client, f"{registry_name}-promoters", Timing(wait=0))
    client.create_registered_model(f"{registry_name}-promoters")
    ticket._create(may_retry=True)  # a ticket nobody hears of
    ticket.take()
    ticket.wait()
    ticket.check()
    ticket.release()
    assert tickets(client, registry_name) == []


@pytest.mark.server
def test_promoters_over_http_take_turns(server_env: Server, registry_name: str, counter: Path) -> None:
    assert tracking_uri() == server_env.uri
    processes = [worker(registry_name, counter, 2) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: count(connect(), registry_name, counter, 2), range(4)))
    assert [process.wait() for process in processes] == [0, 0]
    assert int(counter.read_text()) == 12
    assert tickets(connect(), registry_name) == []


@pytest.mark.server
def test_a_killed_promoter_is_passed_over_on_a_server(
    server_env: Server, registry_name: str, counter: Path
) -> None:
    holder = worker(registry_name, counter, 1, "hold")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    client = connect()
    assert len(tickets(client, registry_name)) == 1
    with pytest.raises(PromoterError), promotion_lock(client, registry_name, Timing(wait=0.5)):
        pass
    with promotion_lock(client, registry_name, Timing(lease=5, grace=1, wait=60)):
        assert counter.read_text() == "0"
    assert tickets(client, registry_name) == []


@pytest.mark.server
def test_an_account_that_may_not_delete_closes_what_another_left(
    server_env: Server, registry_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as(server_env, "admin", monkeypatch)
    foreign = held(connect(), registry_name)
    act_as(server_env, "publisher", monkeypatch)
    client = connect()
    ours = _Ticket(client, f"{registry_name}-promoters", Timing(wait=0))
    ours.take()
    ours._offset += PATIENT.lease + PATIENT.grace + 1
    ours.wait()
    ours.check()
    with pytest.raises(PromoterError, match="run out"):
        foreign.check()
    ours.release()
