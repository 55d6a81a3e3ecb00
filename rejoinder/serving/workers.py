"""Workers: several processes that share a port, started anew if one dies, and ended together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory

from rejoinder.serving.events import Say, teller
from rejoinder.serving.settings import Settings

#: Set before `prometheus_client` is imported: a folder in which each worker leaves its figures.
_FIGURES = "PROMETHEUS_MULTIPROC_DIR"
_GRACE_S = 6.0
_PAUSE_S = 1.0  # before a worker that died is started again
_BROKEN_AFTER = 3  # workers in a row that died before they were this old
_YOUNG_S = 10.0

# A process that was forked after ONNX Runtime has started threads would hang.
_spawn = multiprocessing.get_context("spawn")


def serve_with_workers(settings: Settings, listening: socket.socket) -> None:
    """Serve with several processes until SIGTERM or SIGINT.

    Args:
        settings: how; `workers` of them.
        listening: a bound socket.

    Raises:
        SystemExit: if workers die as soon as they are started.
    """
    say, stop = teller(as_json=settings.json_events), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with TemporaryDirectory(prefix="rejoinder-figures-") as figures:
        os.environ[_FIGURES] = figures
        team = _Team(lambda number: _start(settings, listening, number), settings.workers, say)
        try:
            team.keep_up(stop)
        finally:
            team.end()


class _Team:
    """The workers of one port."""

    def __init__(self, start: Callable[[int], BaseProcess], size: int, say: Say) -> None:
        self._start, self._say = start, say
        self._workers = {number: (start(number), time.monotonic()) for number in range(1, size + 1)}
        self._died_young = 0

    def keep_up(self, stop: threading.Event) -> None:
        """Start workers anew that have died, until told to stop."""
        while not stop.is_set():
            wait([worker.sentinel for worker, _ in self._workers.values()], timeout=0.2)
            for number, (worker, since) in list(self._workers.items()):
                if not worker.is_alive() and not stop.is_set():
                    self._renew(number, worker, since)
                    stop.wait(_PAUSE_S)

    def _renew(self, number: int, worker: BaseProcess, since: float) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        is_young = time.monotonic() - since < _YOUNG_S
        self._died_young = self._died_young + 1 if is_young else 0
        self._say("worker died", worker=number, exitcode=worker.exitcode)
        if self._died_young >= _BROKEN_AFTER:
            self._say("giving up", message="workers die as soon as they start: see the lines above")
            sys.exit(1)
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
        self._workers[number] = self._start(number), time.monotonic()

    def end(self) -> None:
        """Tell all workers to end, and wait for them."""
        for worker, _ in self._workers.values():
            if worker.is_alive():
                worker.terminate()
        until = time.monotonic() + _GRACE_S
        for worker, _ in self._workers.values():
            worker.join(max(0.1, until - time.monotonic()))
            if worker.is_alive():
                worker.kill()


def _start(settings: Settings, listening: socket.socket, number: int) -> BaseProcess:
    worker = _spawn.Process(target=_work, args=(settings, listening, number), name=f"rejoinder-worker-{number}")
    worker.start()
    return worker


def _work(settings: Settings, listening: socket.socket, number: int) -> None:
    from rejoinder.errors import RejoinderError
    from rejoinder.process import configure_process

    configure_process()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow_into_death, args=(parent.sentinel,), daemon=True).start()
    from rejoinder.serving.server import serve

    try:
        serve(settings, listening, number)
    except RejoinderError as error:
        teller(as_json=settings.json_events, worker=number)("not started", message=str(error))
        sys.exit(1)


def _follow_into_death(parent: int) -> None:
    """End when the process that started this one is gone: nobody else would."""
    wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)
