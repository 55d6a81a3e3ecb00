"""Holder: answers with one open release, and takes over another without a request that fails.

The new release is opened and warmed up beside the old one, one reference is replaced, and the old one is freed when
the last request that it serves is answered. Whatever goes wrong before the replacement leaves the old one serving.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from rejoinder.answer.reply import Reply
from rejoinder.answer.responder import Options, Responder
from rejoinder.dialogue import Dialogue
from rejoinder.errors import RejoinderError, SwapError
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.document import Release
from rejoinder.release.proof import Installed
from rejoinder.serving.following import Following, follow, log, unheard
from rejoinder.serving.headroom import available, estimate, give_back
from rejoinder.store.store import Store

Opener = Callable[[Installed], OpenRelease]

#: Seconds that the whole chain has, as published for such assistants.
DEADLINE_S = 1.0
_MB = 1 << 20
_SHORT, _LONG = "hi", "how are you today? "


@dataclass(frozen=True, slots=True)
class Status:
    """What a holder is doing.

    Attributes:
        release: the release that answers.
        swaps: how often another one took over.
        failed: how often one could not.
        in_flight: requests being answered, by whichever release.
        draining: former releases that still answer a request.
    """

    release: Release
    swaps: int
    failed: int
    in_flight: int
    draining: int


@dataclass(slots=True, eq=False)
class Slot:
    """An open release and who is using it.

    Attributes:
        opened: the release.
        responder: answers with it.
        leases: requests being answered.
        overdue: whether nobody waits for it any more: the last request closes it.
    """

    opened: OpenRelease
    responder: Responder
    leases: int = 0
    overdue: bool = False


class Holder:
    """Holds the release that answers. Safe to share between threads."""

    def __init__(
        self,
        opened: OpenRelease,
        opener: Opener | None = None,
        patience: float = 30.0,
        options: Options | None = None,
    ) -> None:
        """Take over an open release.

        Args:
            opened: proved and loaded; the holder closes it, and frees it if nobody else keeps a reference.
            opener: opens the releases to come; by default `open_release` with the same provider.
            patience: seconds that a swap waits for the old release's requests.
            options: how it answers; by default of what is ready within `DEADLINE_S`.
        """
        self._options = options or Options(deadline_s=DEADLINE_S)
        self._opener = opener or partial(open_release, provider=opened.provider)
        self._patience = patience
        self._one_swap = threading.Lock()
        self._changed = threading.Condition()  # guards everything below
        self._slot = Slot(opened, Responder(opened, options=self._options))
        self._leaving: list[Slot] = []
        self._swaps = self._failed = 0

    def answer(self, dialogue: Dialogue) -> Reply:
        """Answer the last turn of a dialogue, with the release that serves at this moment.

        Args:
            dialogue: oldest turn first.

        Returns:
            The reply; its trace names the release.
        """
        with self.lease() as slot:
            return slot.responder.answer(dialogue)

    def status(self) -> Status:
        """What the holder is doing."""
        with self._changed:
            in_flight = self._slot.leases + sum(slot.leases for slot in self._leaving)
            return Status(self._slot.opened.release, self._swaps, self._failed, in_flight, len(self._leaving))

    def swap(self, installed: Installed) -> Release:
        """Let another release take over; swaps wait for each other.

        The whole release is opened and proved anew even if only its cache or index differs from the one that
        serves: that the parts belong together is proved of parts that were opened together, the files may have
        changed on the disk since, and a shared model would have to be freed by whichever release lasts longer. It
        costs about a second of CPU.

        Args:
            installed: the release and its directories, not yet verified.

        Returns:
            The release that serves now. If the old one still answers a request after the holder's patience, that
            request closes it at its end; `status` counts it as draining until then.

        Raises:
            SwapError: if it cannot take over; says why, with all problems. The old one goes on serving, and what
                was loaded of the new one is freed.
        """
        with self._one_swap:
            slot = self._open_beside(installed)
            self._drain(self._replace(slot))
            give_back()
            return slot.opened.release

    def follow(
        self,
        store: Store,
        every: float = 1.0,
        report: Callable[[Exception], None] | None = None,
        done: Callable[[Release], None] | None = None,
    ) -> Callable[..., None]:
        """Swap whenever a store's current release becomes another one, in a thread of its own.

        A release that cannot take over is tried again, after ever longer times: memory may be short for a while, or
        a disk busy. The same failure is reported once.

        Args:
            store: to watch.
            every: seconds between looks.
            report: told of every release that could not take over; by default a warning is logged.
            done: told of every release that has taken over.

        Returns:
            A function that ends it, and waits for a swap under way: for ever, or for so many seconds.
        """
        following = Following(every, report or log, done or unheard)
        return follow(store, following, lambda: self.status().release, self.swap)

    @contextmanager
    def lease(self) -> Iterator[Slot]:
        """Use the release that serves at this moment; it stays open as long as it is used.

        Yields:
            The release and what answers with it.
        """
        slot = self.take()
        try:
            yield slot
        finally:
            self.put_back(slot)

    def take(self, slot: Slot | None = None) -> Slot:
        """Take the release that serves at this moment; it stays open until it is put back.

        Args:
            slot: one that is taken already, to be taken once more; by default the one that serves.

        Returns:
            The release and what answers with it.
        """
        with self._changed:
            taken = slot or self._slot
            taken.leases += 1
            return taken

    def put_back(self, slot: Slot) -> None:
        """Put back what was taken; a former release that nobody uses any more is closed.

        Args:
            slot: from `take`, once.
        """
        with self._changed:
            slot.leases -= 1
            self._changed.notify_all()
            last = slot.overdue and slot.leases == 0
        if last:
            self._leave(slot)

    def _open_beside(self, installed: Installed) -> Slot:
        serving = self._slot.opened
        try:
            _check_room(installed, serving.provider)
            return _warmed_up(self._opener(installed), self._options)
        except Exception as error:
            with self._changed:
                self._failed += 1
            _forget_locals(error)
            raise SwapError(_why(installed.release, serving.release, error)) from error
        finally:
            give_back()

    def _replace(self, slot: Slot) -> Slot:
        with self._changed:
            old, self._slot = self._slot, slot
            self._leaving.append(old)
            self._swaps += 1
            return old

    def _drain(self, old: Slot) -> None:
        with self._changed:
            old.overdue = not self._changed.wait_for(lambda: old.leases == 0, self._patience)
        if not old.overdue:
            self._leave(old)

    def _leave(self, slot: Slot) -> None:
        slot.opened.close()
        with self._changed:
            self._leaving.remove(slot)


def _check_room(installed: Installed, provider: str | None) -> None:
    need, room = estimate(installed, provider), available()
    if room is not None and need > room:
        raise SwapError(
            f"memory: expected {need / _MB:.0f} MB to open it beside the old one, got {room / _MB:.0f} MB. "
            "Next: allow the process more memory, or restart it with the new release"
        )


def _warmed_up(opened: OpenRelease, options: Options) -> Slot:
    """Encode and search once, so that the first request does not pay for what is set up on first use."""
    try:
        for text in (_SHORT, _LONG * opened.vectorizer.spec.max_length):
            vectors = opened.vectorizer.encode([text])  # not by the encoder: its caches may spare the model
            context = vectors[0] if opened.heads is None else opened.heads.context(vectors, [False])
            opened.index.nearest(context, int(opened.index.facts["candidates"]))
        return Slot(opened, Responder(opened, options=options))
    except BaseException:
        opened.close()
        raise


def _why(new: Release, old: Release, error: Exception) -> str:
    reason = str(error) if isinstance(error, RejoinderError) else f"{type(error).__name__}: {str(error)[:200]}"
    return f"{new} did not take over, {old} goes on serving. {reason}"


def _forget_locals(error: BaseException | None) -> None:
    """Let go of what was loaded: as long as somebody keeps an error, its traceback keeps every frame's locals."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
