"""Freshness: releases that are signed and yet not to be taken."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from faults.offers import MADE, TRIES, VALID, Offer, Play, tally
from faults.outcome import Outcome
from faults.scene import evenly
from rejoinder.errors import FreshnessError, IntegrityError, StoreError
from rejoinder.release.document import write_time

if TYPE_CHECKING:
    pass

_DAY = timedelta(days=1)
_YEAR = timedelta(days=365)


def replayed_pointer(root: Path, tries: int = TRIES) -> Outcome:
    """Move the alias back to every release that was champion before the one that was seen."""
    play = Play(root)
    older = [play.sign(serial) for serial in range(10, 10 + tries)]
    newest = play.sign(10 + tries)
    taken = play.offer(Offer(newest, None))
    return tally(
        "an old signed release offered again", [taken and play.offer(Offer(r, FreshnessError)) for r in older]
    )


def expired(root: Path, tries: int = TRIES) -> Outcome:
    """Offer releases that expired a second to some days ago."""
    play = Play(root)
    results = []
    for number in range(tries):
        made = play.sign(10 + number, created=write_time(MADE), expires=write_time(MADE + VALID))
        results.append(play.offer(Offer(made, FreshnessError, MADE + VALID + number * number * timedelta(hours=1))))
    return tally("an expired release", results)


#: How far the node's clock is off, and whether a release made just now, valid for 90 days, has to be refused.
_CLOCKS = ((-_YEAR, True), (-2 * _DAY, True), (-_DAY, False), (_DAY, False), (_YEAR, True))


def wrong_clock(root: Path, tries: int = len(_CLOCKS) * 4) -> Outcome:
    """Set the node's clock wrong by a day and by a year, either way."""
    play = Play(root)
    results = []
    for number in range(tries):
        off, is_refused = _CLOCKS[number % len(_CLOCKS)]
        made = play.sign(10 + number, created=write_time(MADE), expires=write_time(MADE + VALID))
        results.append(play.offer(Offer(made, FreshnessError if is_refused else None, MADE + off)))
    return tally("a clock wrong by a day or a year", results, "a day: taken; two days early or a year: refused")


def wiped_state(root: Path, tries: int = TRIES) -> Outcome:
    """Remove the memory: an older release comes in once, as documented; an expired one does not."""
    play = Play(root)
    results = []
    for number in range(tries):
        play.reset()
        older = play.sign(10 + 3 * number)
        newer = play.sign(11 + 3 * number)
        gone = play.sign(9 + 3 * number, expires=write_time(MADE), created=write_time(MADE - VALID))
        fine = play.offer(Offer(newer, None)) and play.offer(Offer(older, FreshnessError))
        (play.node.trust.root / "state.json").unlink()
        fine = fine and play.offer(Offer(gone, FreshnessError)) and play.offer(Offer(older, None))
        results.append(fine and play.offer(Offer(newer, None)) and play.offer(Offer(older, FreshnessError)))
    return tally("a wiped trust state", results, "an older release comes in once; an expired one does not")


_DAMAGES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b"\0" * 300,
    b"\xff\xfe",
    b'{"format":2}',
    b'{"format":2,"seen":[]}',
    b'{"format":2,"seen":{"rejoinder@champion":null}}',
    b'{"format":2,"seen":{"rejoinder@champion":{"serial":1}}}',
    b'{"format":2,"seen":{"rejoinder@champion":{"serial":"9","release":"","key":"","at":""}}}',
    b'{"format":2,"seen":{"rejoinder@champion":{"serial":null,"release":"","key":"","at":""}}}',
    b'{"format":2,"seen":{"rejoinder@champion":{"serial":1e400,"release":"","key":"","at":""}}}',
    b'{"format":1,"seen":{}}',
    b"[" * 100_000,
)


def damaged_state(root: Path, tries: int = 200) -> Outcome:
    """Cut the memory short, flip a bit of it, or write something else into it."""
    play = Play(root)
    path = play.node.trust.root / "state.json"
    whole = path.read_bytes()
    cuts = [whole[:length] for length in range(0, len(whole) - 1, max(1, len(whole) // 30))]
    flips = [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in range(len(whole))]
    flips = [flips[number - 1] for number in evenly(len(flips), max(1, tries - len(_DAMAGES) - len(cuts)))]
    results = []
    for number, data in enumerate([*_DAMAGES, *cuts, *flips][:tries]):
        path.write_bytes(data)
        results.append(play.offer(Offer(play.sign(10 + number), StoreError)))
    return tally("a damaged trust state", results)


def mixed_up(root: Path, tries: int = TRIES) -> Outcome:
    """Offer a signed release of another name under this one."""
    play = Play(root)
    others = [play.sign(10 + number, name=f"another-{number}") for number in range(tries)]
    return tally("another name's release", [play.offer(Offer(other, IntegrityError)) for other in others])


def same_serial(root: Path, tries: int = TRIES) -> Outcome:
    """Offer another signed release with the serial that was seen."""
    play = Play(root)
    taken = play.offer(Offer(play.sign(10), None))
    twins = [play.sign(10, reissues=number + 1) for number in range(tries)]
    return tally("the same serial twice", [taken and play.offer(Offer(twin, FreshnessError)) for twin in twins])


FAULTS = (
    replayed_pointer,
    expired,
    wrong_clock,
    wiped_state,
    damaged_state,
    mixed_up,
    same_serial,
)
