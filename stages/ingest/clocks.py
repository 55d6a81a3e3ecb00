"""Clocks: in which order the messages of one conversation were said, and when, though its clocks disagree.

An export's own order is better than its clocks: it is the order in which one device or server saw the messages. So
it is kept wherever its times can be explained, and only what nothing explains is sorted by time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

#: Milliseconds by which clocks may disagree before it needs a reason.
LITTLE = 60_000
#: The most that a clock is set back in autumn, and that the phone of one sender may be ahead of another's.
HOUR = 3_600_000
#: Clocks are set back twice a year at most; more often it is something else.
FOLDS_APART = 30 * 24 * HOUR
#: Passes over the senders' offsets, each of which lets one more sender depend on another.
ROUNDS = 64
#: Rows in a piece, on average, of a file that was put together of pieces; with fewer it has no order to keep.
ROWS_A_PIECE = 8


@dataclass(frozen=True, slots=True)
class Arranged:
    """A conversation in order.

    Attributes:
        places: where each row stood before.
        times: the time of each, never falling.
        rules: what was done: reversed, raised, folded, offset, sorted, merged.
    """

    places: list[int]
    times: list[int]
    rules: frozenset[str]


def arrange(
    times: Sequence[int], senders: Sequence[str], files: Sequence[str], newest_first: Collection[str] = ()
) -> Arranged:
    """Put a conversation in order.

    Args:
        times: of its rows, in milliseconds, in the order of their files.
        senders: of the rows.
        files: that the rows come from.
        newest_first: files that are, as their other conversations tell.

    Returns:
        Every row once. Times that never fall, from whatever files, are left as they are.
    """
    if all(before <= after for before, after in pairwise(times)):
        return Arranged(list(range(len(times))), list(times), frozenset())
    runs: dict[str, list[int]] = {}
    for place, file in enumerate(files):
        runs.setdefault(file, []).append(place)
    settled = [_run(run, times, senders, file in newest_first) for file, run in runs.items()]
    settled.sort(key=lambda run: (run.times[0], run.times[-1]))
    # Stable: the rows of a file, whose times no longer fall, keep their order.
    rows = sorted(
        (row for run in settled for row in zip(run.times, run.places, strict=True)), key=lambda row: row[0]
    )
    rules = frozenset({"merged"} if len(runs) > 1 else ()).union(*(run.rules for run in settled))
    return Arranged([place for _, place in rows], [time for time, _ in rows], rules)


def _run(run: Sequence[int], times: Sequence[int], senders: Sequence[str], likely: bool) -> Arranged:
    """Put the rows of one file in order, given by their places in the conversation."""
    turned = is_newest_first([times[place] for place in run], [senders[place] for place in run], likely)
    said = run[::-1] if turned else run
    found = settle([times[place] for place in said], [senders[place] for place in said])
    rules = found.rules | {"reversed"} if turned else found.rules
    return Arranged([said[place] for place in found.places], found.times, rules)


def is_newest_first(times: Sequence[int], senders: Sequence[str], likely: bool = False) -> bool:
    """Tell whether a file holds a conversation newest message first.

    One sender's clock does not run back, so what counts is whether each sender's own times rise or fall.

    Args:
        times: in the order of the file.
        senders: of the rows.
        likely: whether other conversations of the file are.

    Returns:
        Whether to reverse it. Where clocks disagree by little it takes rows that never rise.
    """
    rises = falls = 0
    last: dict[str, int] = {}
    for time, sender in zip(times, senders, strict=True):
        before = last.get(sender, time)
        rises, falls = rises + (time > before), falls + (time < before)
        last[sender] = time
    if rises == falls or _worst_fall(times) <= LITTLE:
        never_rises = all(before >= after for before, after in pairwise(times))
        return (likely and falls >= rises) or (never_rises and len(set(times)) > 2)
    return falls > rises


def settle(times: Sequence[int], senders: Sequence[str]) -> Arranged:
    """Put the rows of one file in order, oldest first: as they stand, if that can be explained.

    Args:
        times: in milliseconds.
        senders: of the rows.

    Returns:
        Every row once, and the rule that explains it; none if times never fall.
    """
    own = list(range(len(times)))
    worst = _worst_fall(times)
    if worst <= LITTLE:
        return Arranged(own, list(accumulate(times, max)), frozenset({"raised"} if worst else ()))
    if folded := _folded(times):
        return Arranged(own, folded, frozenset({"folded"}))
    for slack in (0, LITTLE):
        if moved := _offset(times, senders, slack):
            return Arranged(own, moved, frozenset({"offset"}))
    return _sorted(times)


def _worst_fall(times: Sequence[int]) -> int:
    return max((highest - time for highest, time in zip(accumulate(times, max), times, strict=True)), default=0)


def _folded(times: Sequence[int]) -> list[int] | None:
    """Read a clock that was set back: later times are shifted until it has passed where it was."""
    found: list[int] = []
    highest, shift, folded_at = times[0], 0, -FOLDS_APART
    for time in times:
        if time >= highest:
            shift = 0
        if (fall := highest - time - shift) > LITTLE:
            if fall > HOUR + LITTLE or time - folded_at < FOLDS_APART:
                return None
            shift, folded_at = highest - time, time
        highest = max(highest, time + shift)
        found.append(highest)
    return found


def _offset(times: Sequence[int], senders: Sequence[str], slack: int) -> list[int] | None:
    """Find an offset for each sender with which times fall by no more than `slack` from row to row.

    Rows one after another say by how much one sender's clock may be ahead of the next one's; offsets that obey all
    of that are shortest paths (Bellman 1958).
    """
    ahead: dict[tuple[str, str], int] = {}
    for (before, after), pair in zip(pairwise(times), pairwise(senders), strict=True):
        ahead[pair] = min(ahead.get(pair, after - before + slack), after - before + slack)
    offsets = dict.fromkeys(senders, 0)
    for _ in range(ROUNDS):
        changed = False
        for (one, other), most in ahead.items():
            if offsets[one] > offsets[other] + most:
                offsets[one], changed = offsets[other] + most, True
                if one == other or offsets[one] < -HOUR:
                    return None
        if not changed:
            moved = [time + offsets[sender] for time, sender in zip(times, senders, strict=True)]
            return list(accumulate(moved, max)) if _worst_fall(moved) <= slack else None
    return None


def _sorted(times: Sequence[int]) -> Arranged:
    """Sort by time; pieces that were joined in the wrong order keep the order inside."""
    pieces, highest = 1, times[0]
    raised: list[int] = []
    for time in times:
        broken = highest - time > LITTLE
        pieces, highest = pieces + broken, time if broken else max(highest, time)
        raised.append(highest)
    keys = raised if pieces * ROWS_A_PIECE <= len(times) else times
    places = sorted(range(len(times)), key=keys.__getitem__)
    return Arranged(places, [keys[place] for place in places], frozenset({"sorted"}))
