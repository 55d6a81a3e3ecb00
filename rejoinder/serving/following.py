"""Following: a holder takes over whatever becomes a store's current release, again and again if that fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from rejoinder.release.document import Release
from rejoinder.release.proof import Installed
from rejoinder.serving.headroom import give_back
from rejoinder.store.store import Store

#: Seconds until a release that could not take over is tried again: twice as long each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 300.0


Serving = Callable[[], Release]
Swap = Callable[[Installed], Release]


@dataclass(slots=True)
class Following:
    """What is known of a store that is followed, and when it is tried again.

    Attributes:
        every: seconds between looks.
        report: told of failures.
        done: told of releases that have taken over.
        mark: what `current` said when it was last tried.
        pause: seconds until the next try; 0 if the last one succeeded.
        next_try: moment of `time.monotonic`.
        told: the last failure that was reported.
    """

    every: float
    report: Callable[[Exception], None]
    done: Callable[[Release], None]
    mark: bytes | None = None
    pause: float = 0.0
    next_try: float = 0.0
    told: str = ""

    def is_due(self, mark: bytes) -> bool:
        """Whether to try: `current` has changed, or the last try failed long enough ago."""
        if mark != self.mark:
            self.mark, self.pause, self.told = mark, 0.0, ""
            return True
        return self.pause > 0 and time.monotonic() >= self.next_try

    def succeeded(self) -> None:
        """Take note that the release serves."""
        self.pause, self.told = 0.0, ""

    def failed(self, error: Exception) -> None:
        """Take note of a failure, report it if it is a new one, and wait twice as long as before."""
        self.pause = min(_LONGEST_PAUSE, 2 * self.pause or _FIRST_PAUSE)
        self.next_try = time.monotonic() + self.pause
        if str(error) != self.told:
            self.told = str(error)
            self.report(error)


def follow(store: Store, following: Following, serving: Serving, swap: Swap) -> Callable[..., None]:
    """Follow a store in a thread of its own.

    Args:
        store: to watch.
        following: how.
        serving: tells which release serves.
        swap: lets another one take over.

    Returns:
        A function that ends it, and waits for a swap under way: for ever, or for so many seconds.
    """
    stop = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(store, following, serving, swap, stop), name="rejoinder-follow", daemon=True
    )
    thread.start()

    def end(timeout: float | None = None) -> None:
        stop.set()
        thread.join(timeout)

    return end


def _watch(store: Store, following: Following, serving: Serving, swap: Swap, stop: threading.Event) -> None:
    while not stop.wait(following.every):
        if not following.is_due(_mark(store)):
            continue
        try:
            installed = store.current()
            if installed.release.digest != serving().digest:
                following.done(swap(installed))
                stop.wait(following.every)
                give_back()  # once more: who had just been answered still held the former release
            following.succeeded()
        except Exception as error:  # the watch outlives whatever is wrong with one release
            following.failed(error)


def _mark(store: Store) -> bytes:
    """What `current` says, whatever that is."""
    try:
        return store.current_file.read_bytes()
    except OSError:
        return b""


def unheard(release: Release) -> None:
    """Tell nobody that a release has taken over."""


def log(error: Exception) -> None:
    """Warn of a release that could not take over."""
    logging.getLogger(__name__).warning("%s", error)
