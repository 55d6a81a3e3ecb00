"""Processes: what a server and all its children take, as the kernel counts it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)  # idle, and waiting for a disk
_TIMES = 8  # what follows is counted in these already


@dataclass(frozen=True, slots=True)
class Stat:
    """A process: its parent, and the CPU-seconds that it and its ended children took."""

    parent: int
    cpu: float


def parse_stat(text: str) -> Stat:
    """Read a process's `stat`.

    Args:
        text: of the file; the name in it may hold blanks and brackets.

    Returns:
        What is of use here.
    """
    words = text.rpartition(")")[2].split()
    return Stat(int(words[1]), sum(map(int, words[11:15])) / _TICKS)


def parse_busy(text: str) -> float:
    """Read how long all cores together were busy since the machine started.

    Args:
        text: of `/proc/stat`.

    Returns:
        Seconds.
    """
    ticks = [int(word) for word in text.splitlines()[0].split()[1 : _TIMES + 1]]
    return sum(ticks[n] for n in range(len(ticks)) if n not in _IDLE) / _TICKS


def parse_pss(text: str, name: str = "Pss") -> int:
    """Read the bytes that a process takes, shared ones by their share.

    Args:
        text: of `smaps_rollup`.
        name: "Pss_Anon" for what is in no file.

    Returns:
        Bytes.
    """
    line = next(line for line in text.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) << 10


def busy_seconds() -> float:
    """How long all cores together were busy since the machine started."""
    return parse_busy((PROC / "stat").read_text())


def tree(pid: int) -> dict[int, Stat]:
    """A process and all below it.

    Args:
        pid: of the first.

    Returns:
        Those that live, by number.
    """
    found = dict(_all())
    return {number: stat for number, stat in found.items() if _is_below(number, pid, found)}


def cpu_seconds(pid: int) -> float:
    """CPU-seconds of a process and all below it."""
    return sum(stat.cpu for stat in tree(pid).values())


def pss_megabytes(pid: int, name: str = "Pss") -> float:
    """Megabytes that a process and all below it take, shared ones by their share."""
    return sum(parse_pss((PROC / str(number) / "smaps_rollup").read_text(), name) for number in tree(pid)) / 1e6


def _all() -> Iterator[tuple[int, Stat]]:
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), parse_stat((folder / "stat").read_text())
            except (OSError, ValueError):  # it has ended meanwhile
                continue


def _is_below(number: int, first: int, found: Mapping[int, Stat]) -> bool:
    while number in found and number != first:
        number = found[number].parent
    return number == first
