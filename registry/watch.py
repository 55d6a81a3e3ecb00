"""Watch: pull again and again, so that the store follows an alias."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

from registry.collect import KEEP
from registry.pull import pull
from registry.source import Source
from rejoinder.errors import RejoinderError
from rejoinder.store import Store


def follow(
    store: Store,
    name: str,
    alias: str,
    *,
    source: Source,
    every: float,
    keep: int = KEEP,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Pull what an alias names until told to stop; a pull that fails leaves the current release in force.

    Args:
        store: where to.
        name: of the release.
        alias: to follow.
        source: where from.
        every: seconds between looks.
        keep: how many releases stay installed.
        stop: ends it when set; by default SIGTERM and SIGINT do.
        say: told of every release that was installed, and once of every failure that differs from the last.
    """
    stop = stop or _stopped_by_signals()
    last = ""
    while True:
        try:
            pulled = pull(store, name, alias, source=source, keep=keep)
            said = f"serving: {pulled.release}"
        except (RejoinderError, OSError) as error:
            said = f"not pulled, the current release stays in force: {error}"
        if said != last:
            say(said)
        last = said
        if stop.wait(every):
            return


def _stopped_by_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
