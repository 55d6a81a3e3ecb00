"""The keeper: erases from what its worker has written, and removes what is too old or too much."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rejoinder.serving.decisions.erase import erase_from
from rejoinder.serving.decisions.files import LogFile, is_held, log_files, remove, sole_use, turn
from rejoinder.serving.decisions.limits import ERASURE, TIDYING, Clock, Limits, Tally
from rejoinder.serving.decisions.lines import lines_of
from rejoinder.serving.decisions.mentions import mentions
from rejoinder.serving.decisions.tombstones import Erased, Tombstone, mark, read_tombstones

_DAY_S = 86400.0
#: A clock that has jumped is not believed for so long: one into the future must not age every file at once.
_DOUBT_S = 3600.0
_JUMP_S = 60.0


@dataclass(frozen=True, slots=True)
class Hand:
    """What the keeper asks of the writer.

    Attributes:
        path: of the file that is being written.
        flush: writes what waits, and returns when it is done.
        rotate: the same, and closes the file.
    """

    path: Callable[[], Path | None]
    flush: Callable[[], None]
    rotate: Callable[[], None]


class Keeper:
    """Looks after the files of a log. `run` is for a thread of its own."""

    def __init__(
        self,
        folder: Path,
        hand: Hand,
        tally: Tally,
        *,
        worker: int,
        limits: Limits,
        clock: Clock,
        retention_days: float | None,
    ) -> None:
        """Prepare to look after a log.

        Args:
            folder: of the log.
            hand: on the writer.
            tally: counts.
            worker: number of the worker. 0 also looks after what others have left that do not live any more.
            limits: sizes and times.
            clock: tells how old a file is.
            retention_days: age at which files go; None to keep them.
        """
        self.nudge = threading.Event()
        self._folder = folder
        self._hand = hand
        self._tally = tally
        self._worker = worker
        self._limits = limits
        self._clock = clock
        self._retention_days = retention_days
        self._mark: object = None
        self._known: list[Tombstone] | None = None
        self._tidy_at = self._retry_at = self._trusted_from = -float("inf")
        self._drift = clock.wall() - clock.monotonic()
        self._is_stopped = False

    def run(self) -> None:
        """Look after the log until `stop`."""
        while not self._is_stopped:
            self.look()
            if not self._is_stopped:  # `look` may have taken the nudge of `stop` for another
                self.nudge.wait(self._limits.watch_s)

    def stop(self) -> None:
        """End `run`, soon."""
        self._is_stopped = True
        self.nudge.set()

    def look(self) -> None:
        """Do what is due; what fails is counted, and tried again later."""
        now = self._clock.monotonic()
        if now >= self._retry_at:
            self._try(self._erase, ERASURE)
        if now >= self._tidy_at or self.nudge.is_set():
            self.nudge.clear()
            self._tidy_at = now + self._limits.tidy_s
            self._hand.flush()  # lets the writer see that its day is over
            self._try(self._tidy, TIDYING)

    def _try(self, work: Callable[[], None], reason: str) -> None:
        try:
            work()
        except FileNotFoundError:
            pass  # the folder is not there yet, or any more
        except Exception:  # the keeper outlives whatever is wrong with one file
            self._tally.failed(reason)
            if reason == ERASURE:
                self._retry_at = self._clock.monotonic() + self._limits.tidy_s

    def _erase(self) -> None:
        found = mark(self._folder)
        if found == self._mark and self._known is not None:
            return
        stones = read_tombstones(self._folder)
        if self._known is None:  # what is in old files may be later than what was erased
            erased = Erased(stones)
        else:
            fresh = [stone for stone in stones if stone not in set(self._known)]
            erased = Erased(stones, whenever=fresh)
        if erased:
            self._let_go(erased)
            own = [file for file in log_files(self._folder) if self._looks_after(file)]
            erase_from(self._folder, own, erased, answers=own)
        self._mark, self._known = found, stones

    def _let_go(self, erased: Erased) -> None:
        """Close the file that is being written, if it holds what is erased."""
        self._hand.flush()
        path, ids = self._hand.path(), erased.ids
        if path is not None and any(mentions(line, ids) for _, line in lines_of(path)):
            self._hand.rotate()

    def _looks_after(self, file: LogFile) -> bool:
        return file.worker == self._worker or (self._known is None and self._worker == 0)

    def _tidy(self) -> None:
        with turn(self._folder):
            files = log_files(self._folder)
            closed = [file for file in files if not is_held(file.path)]
            # A file that is being written may grow to its full size before the next look.
            room = self._limits.max_total - (len(files) - len(closed)) * self._limits.max_file
            total = sum(file.size() for file in closed)
            for file in closed:
                size = file.size()
                if (total > room or self._is_old(file)) and _removed(file.path):
                    self._tally.removed(1)
                    total -= size

    def _is_old(self, file: LogFile) -> bool:
        if self._retention_days is None or not self._trusts_clock():
            return False
        return self._clock.wall() - file.start.timestamp() > self._retention_days * _DAY_S

    def _trusts_clock(self) -> bool:
        now = self._clock.monotonic()
        drift = self._clock.wall() - now
        if abs(drift - self._drift) > _JUMP_S:
            self._drift, self._trusted_from = drift, now + _DOUBT_S
        return now >= self._trusted_from


def _removed(path: Path) -> bool:
    with sole_use(path) as file:
        if file is not None:
            remove(path)
        return file is not None
