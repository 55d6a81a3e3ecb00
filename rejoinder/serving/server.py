"""Server: a process that opens the store's release, answers on a port, follows the store, and ends without loss."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from rejoinder import __version__
from rejoinder.answer.choose import Exploration
from rejoinder.answer.responder import Options
from rejoinder.errors import RejoinderError
from rejoinder.parts.opened import open_current
from rejoinder.process import usable_cores
from rejoinder.release.document import Release
from rejoinder.serving.batcher import Bounds
from rejoinder.serving.decisions.files import default_folder
from rejoinder.serving.decisions.log import DecisionLog
from rejoinder.serving.decisions.pseudonyms import Keyer, decisions_key
from rejoinder.serving.events import tell_warnings, teller
from rejoinder.serving.holder import Holder
from rejoinder.serving.http.app import make_app
from rejoinder.serving.http.context import Context
from rejoinder.serving.http.ids import CompletionIds
from rejoinder.serving.http.protocol import TimedProtocol
from rejoinder.serving.http.security import Access
from rejoinder.serving.journal import Journal
from rejoinder.serving.metrics import Metrics, preset
from rejoinder.serving.service import Service
from rejoinder.serving.settings import Settings
from rejoinder.serving.telemetry import open_tracer
from rejoinder.store.store import Store

#: Seconds that requests have to end in once the server was told to.
DRAIN_S = 5
_SWAP_S = 0.5  # that a swap under way is waited for when the server ends
_REACTIONS = ("love", "funny", "upvote", "meaningless", "offensive", "downvote", "none")


def serve(settings: Settings, listening: socket.socket, worker: int = 0) -> None:
    """Serve until SIGTERM or SIGINT; what was accepted by then is answered.

    Args:
        settings: how.
        listening: a bound socket.
        worker: number of this process among those that share the socket; 0 if it is alone.

    Raises:
        StoreError: if nothing is installed.
        BundleError: if the release is refused.
    """
    say = teller(as_json=settings.json_events, worker=worker)
    started = time.perf_counter()
    metrics = Metrics()
    preset(metrics, _REACTIONS)
    key = decisions_key()
    holder = _open(settings)
    threads = settings.threads or max(1, usable_cores() // settings.workers)
    bounds = Bounds(settings.rows, settings.queue_rows, settings.queue_s, settings.wait_s)
    service = Service(holder, threads, bounds, deadline_s=settings.deadline_s, on_batch=metrics.batches.observe)
    journal = _journal(settings, key, worker, metrics) if settings.log else None
    context = Context(service, metrics, CompletionIds(key), journal, say, open_tracer())
    release = holder.status().release
    metrics.serving(release, __version__)

    def end() -> None:
        stop_following(_SWAP_S)
        service.close()
        if journal is not None:
            journal.log.close(DRAIN_S)

    def ready() -> None:
        seconds = round(time.perf_counter() - started, 2)
        say("ready", release=release, port=listening.getsockname()[1], seconds=seconds, threads=threads)

    stop_following = _follow(settings, holder, context)
    tell_warnings(say)
    _Server(_config(settings, context, end), context, ready, settings.drain_delay_s).run(sockets=[listening])
    say("ended")


class _Server(uvicorn.Server):
    """uvicorn, which ends with 0 when it is told to end, and says first that it will."""

    def __init__(self, config: uvicorn.Config, context: Context, ready: Callable[[], None], delay_s: float) -> None:
        super().__init__(config)
        self._delay_s = delay_s
        self._context, self._ready, self._interrupts = context, ready, 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()  # from now on it listens

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave, number)
        yield

    def _leave(self, number: int) -> None:
        # systemd and terminals tell the whole group, and who started a worker tells it as well: only a second
        # Ctrl-C means that somebody has no patience.
        self._interrupts += number == signal.SIGINT
        self.force_exit = self._interrupts > 1
        if self._context.is_draining:
            return
        self._context.is_draining = True
        self._context.say("draining", in_flight=len(self.server_state.tasks))
        # What has connected by now was not refused: it is let in before the port closes.
        asyncio.get_running_loop().call_later(self._delay_s, self._stop_listening)

    def _stop_listening(self) -> None:
        self.should_exit = True


def _config(settings: Settings, context: Context, end: Callable[[], None]) -> uvicorn.Config:
    return uvicorn.Config(
        make_app(context, Access(settings.token, frozenset(settings.hosts)), end),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxy),
        forwarded_allow_ips=settings.proxy or None,
        timeout_graceful_shutdown=DRAIN_S - 1,
        timeout_keep_alive=30,
        http=TimedProtocol,
        ws="none",
    )


def _open(settings: Settings) -> Holder:
    # The service keeps the time itself: a thread of the holder's own an answer would only switch to and fro.
    options = Options(None, Exploration(settings.explore), generate=settings.generate)
    return Holder(open_current(Store(settings.store), settings.provider), options=options)


def _journal(settings: Settings, key: bytes, worker: int, metrics: Metrics) -> Journal:
    days = settings.retention_days or None

    def count(reason: str) -> None:
        metrics.log_failures.labels(reason).inc()

    log = DecisionLog(
        default_folder(), with_text=settings.log_text, worker=worker, retention_days=days, on_failure=count
    )
    return Journal(log, Keyer(key), settings.log_text, days)


def _follow(settings: Settings, holder: Holder, context: Context) -> Callable[[float], None]:
    if settings.follow_s <= 0:
        return lambda timeout: None
    metrics, say = context.metrics, context.say

    def failed(error: Exception) -> None:
        metrics.swaps.labels("failed").inc()
        message = str(error) if isinstance(error, RejoinderError) else type(error).__name__
        say("swap failed", message=message)

    def done(release: Release) -> None:
        metrics.swaps.labels("done").inc()
        metrics.serving(release, __version__)
        say("swapped", release=release)

    return holder.follow(Store(settings.store), settings.follow_s, failed, done)
