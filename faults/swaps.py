"""Swaps: releases take over from each other, again and again, while several threads ask."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faults.outcome import Outcome
from rejoinder.answer.reply import Reply
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.proof import Installed
from rejoinder.release.trust import Trust
from rejoinder.serving.holder import Holder
from tests.bundles import KEY, REPLIES, build_whole, pin

SETTLED = 10  # swaps after which memory has found its level
MARGIN_MB = 8.0  # a release that is never freed costs 0.4 MB, tiny as it is: 90 of them are far above that


@dataclass
class Asked:
    """What came of the requests of all threads.

    Attributes:
        requests: how many were made.
        lost: what went wrong, in words.
        by_release: requests answered, by release.
    """

    requests: int = 0
    lost: list[str] = field(default_factory=list)
    by_release: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, release: str, wrong: str | None) -> None:
        """Count one request."""
        with self.lock:
            self.requests += 1
            self.by_release[release] = self.by_release.get(release, 0) + 1
            if wrong is not None:
                self.lost.append(wrong)


def hundred_swaps(root: Path, swaps: int = 100, threads: int = 4) -> Outcome:
    """Let two releases take over from each other while threads ask without a pause.

    A swap is survived if it happened and, by its end, every request was answered by exactly one of the two
    releases, with that release's replies alone; all are lost if the memory does not come back.

    Args:
        root: an empty folder.
        swaps: how many.
        threads: that ask.

    Returns:
        How many swaps were survived, with the requests and the memory.
    """
    replies = (REPLIES[::2], REPLIES[1::2])
    releases = [pin(build_whole(root / f"r{n}", seed=n, replies=replies[n]), serial=n + 1) for n in (0, 1)]
    said = {str(release.release): frozenset(texts) for release, texts in zip(releases, replies, strict=True)}
    holder = Holder(open_release(releases[0], trust=Trust(KEY.parent)), _opener)
    asked, stop = Asked(), threading.Event()
    workers = [threading.Thread(target=_ask, args=(holder, said, asked, stop, n)) for n in range(threads)]
    for worker in workers:
        worker.start()
    try:
        survived, levels = _swap(holder, releases, asked, swaps)
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    grown = levels[-1] - levels[min(SETTLED, len(levels)) - 1]
    note = f"{asked.requests} requests by {threads} threads, {len(asked.lost)} lost; memory {grown:+.1f} MB"
    kept = grown <= MARGIN_MB and len(asked.by_release) == len(said) and holder.status().draining == 0
    return Outcome("a hot swap under load", swaps, survived if kept else 0, note)


def _opener(installed: Installed) -> OpenRelease:
    return open_release(installed, trust=Trust(KEY.parent))


def _swap(holder: Holder, releases: Sequence[Installed], asked: Asked, swaps: int) -> tuple[int, list[float]]:
    survived, levels = 0, []
    for number in range(swaps):
        lost = len(asked.lost)
        target = releases[(number + 1) % len(releases)]
        survived += holder.swap(target) == target.release and len(asked.lost) == lost
        levels.append(resident_mb())
    return survived, levels


def _ask(
    holder: Holder, said: Mapping[str, frozenset[str]], asked: Asked, stop: threading.Event, number: int
) -> None:
    while not stop.is_set():
        number += 1
        text = REPLIES[number % len(REPLIES)]
        try:
            reply = holder.answer(Dialogue((Turn("user", text),)))
        except Exception as error:
            asked.count("none", f"{type(error).__name__}: {error}")
        else:
            asked.count(reply.trace.release, wrong_with(reply, text, said))


def wrong_with(reply: Reply, text: str, said: Mapping[str, frozenset[str]]) -> str | None:
    """What in an answer does not come from the one release that it names.

    Args:
        reply: the answer.
        text: what was asked.
        said: the replies of each release, by its name.

    Returns:
        What is wrong, or None.
    """
    own = said.get(reply.trace.release)
    if own is None:
        return f"an unknown release: {reply.trace.release}"
    if not {candidate.text for candidate in reply.trace.candidates if candidate.senders is not None} <= own:
        return "replies of another release"
    # A reply is nearest to itself only if its vector and the index come from one model.
    best = reply.trace.candidates[0]
    if text in own and not (best.text == text and best.score > 0.999):
        return "a vector of another model"
    return None


def resident_mb() -> float:
    """Memory of this process that no file backs, in MB."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
