"""Flips: one byte of an installed release is changed, or one file is cut short; nothing of it is parsed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rejoinder.errors import RejoinderError
from rejoinder.signature import SIGNATURE
from rejoinder.store import Store, open_current
from tests.faults.outcome import Outcome
from tests.faults.sample import Tally, believing, contents, stored, watched_parsers, words

Damages = Callable[[Mapping[Path, bytes], int], Iterator[tuple[Path, bytes]]]

#: Files that have spellings which mean the same: whitespace in JSON, fields that nobody reads, a final newline.
_SPELLED = (SIGNATURE, "current")
_CUTS = ("nothing", "one byte", "half", "all but one", "some")


def byte_flips(root: Path, tries: int = 1000, store: Store | None = None) -> Outcome:
    """Flip a bit or change a byte, in every file in turn: its first byte, its last, then anywhere."""
    return _damaged(store or stored(root), "a changed byte of an installed release", tries, _flipped)


def truncations(root: Path, tries: int = 200, store: Store | None = None) -> Outcome:
    """Cut every file in turn: to nothing, one byte, half, all but one byte, and anywhere."""
    return _damaged(store or stored(root), "a truncated file of an installed release", tries, _cut)


def _damaged(store: Store, fault: str, tries: int, damages: Damages) -> Outcome:
    whole = contents(store)
    tally = Tally()
    for path, data in damages(whole, tries):
        damage(store, whole, path, data, tally)
    note = tally.note(f"{len(whole)} files, no parser ran on what was refused")
    return Outcome(fault, tally.tries, tally.survived, note)


def _flipped(whole: Mapping[Path, bytes], tries: int) -> Iterator[tuple[Path, bytes]]:
    rng = random.Random(1)
    paths = list(whole)
    for number in range(tries):
        path, turn = paths[number % len(paths)], number // len(paths)
        data = bytearray(whole[path])
        position = {0: 0, 1: len(data) - 1}.get(turn, rng.randrange(len(data)))
        data[position] ^= 1 << rng.randrange(8) if rng.random() < 0.5 else rng.randrange(1, 256)
        yield path, bytes(data)


def _cut(whole: Mapping[Path, bytes], tries: int) -> Iterator[tuple[Path, bytes]]:
    rng = random.Random(2)
    paths = list(whole)
    for number in range(tries):
        path = paths[number % len(paths)]
        size = len(whole[path])
        how = _CUTS[(number // len(paths)) % len(_CUTS)]
        kept = {"nothing": 0, "one byte": 1, "half": size // 2, "all but one": size - 1}.get(
            how, rng.randrange(size)
        )
        yield path, whole[path][:kept]


def damage(store: Store, whole: Mapping[Path, bytes], path: Path, damaged: bytes, tally: Tally) -> None:
    """Open a release with one file damaged, count how that ended, and mend it.

    Args:
        store: holds the release.
        whole: its files as they were signed.
        path: the file to damage.
        damaged: what it holds then.
        tally: counts.
    """
    path.write_bytes(damaged)
    try:
        tally.add(*_opened(store, whole, path))
    finally:
        path.write_bytes(whole[path])


def _opened(store: Store, whole: Mapping[Path, bytes], damaged: Path) -> tuple[str, str]:
    with watched_parsers(whole) as seen:
        try:
            open_current(store, trust=believing()).close()
        except RejoinderError:
            return ("lost", f"{damaged.name}: {seen[0]} ran before the refusal") if seen else ("refused", "")
        except Exception as error:
            return "lost", f"{damaged.name}: {words(error)}"
    # It opened: then it must be the release that was signed, byte for byte, and only its spelling may differ.
    others = {path: data for path, data in whole.items() if path != damaged}
    if damaged.name in _SPELLED and all(path.read_bytes() == data for path, data in others.items()):
        return f"harmless in {damaged.name} (the same release, byte for byte, was opened)", ""
    return "lost", f"{damaged.name}: opened although it was changed"


FAULTS = (byte_flips, truncations)
