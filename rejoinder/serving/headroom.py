"""Headroom: how much this process may still take, what opening a release takes, and giving back what was freed."""

from __future__ import annotations

import ctypes
from pathlib import Path

from rejoinder.cgroups import GROUPS, PROC, group_dirs, number, text
from rejoinder.parts import in_order
from rejoinder.parts.opening import module_of
from rejoinder.release.manifest import read_manifest
from rejoinder.release.proof import Installed

SMALL_CHANGE = 16 << 20  # threads, buffers, and what the allocator cannot hand back

#: Limit, use, and the entry of memory.stat that says how much of the use can be had back; version 2, then 1.
_GROUP_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def estimate(installed: Installed, provider: str | None = None) -> int:
    """How much memory a release takes that is opened beside another.

    Args:
        installed: the release and its directories.
        provider: what alone may run its model; by default whatever is fastest.

    Returns:
        Bytes; rather too many than too few.

    Raises:
        BundleError: if a manifest is not the one that the release pins.
    """
    pinned = installed.release.bundles
    manifests = {
        part: read_manifest(installed.bundles[part.bundle], pinned[part.bundle]) for part in in_order(pinned)
    }
    return SMALL_CHANGE + sum(module_of(part).memory(manifest, provider) for part, manifest in manifests.items())


def available(proc: Path = PROC, groups: Path = GROUPS) -> int | None:
    """How much memory this process may still take before it is killed or the machine swaps.

    Args:
        proc: where the kernel's process files are.
        groups: where the control groups are.

    Returns:
        Bytes: the least of what the machine has and what each control group above this process allows; None if
        neither is known.
    """
    rooms = [
        room
        for room in (_machine_room(proc), *map(_group_room, group_dirs("memory", proc, groups)))
        if room is not None
    ]
    return min(rooms, default=None)


def give_back() -> None:
    """Hand freed memory back to the machine; C libraries keep it for later otherwise.

    Python's own collector is not run: a release is in no reference cycle, and a run stops every thread for a tenth
    of a second.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library than glibc
        return
    trim(0)


def _machine_room(proc: Path) -> int | None:
    found = _entry(proc / "meminfo", "MemAvailable:")
    return None if found is None else found << 10


def _group_room(directory: Path) -> int | None:
    for limit_file, use_file, spare in _GROUP_FILES:
        limit, use = number(directory / limit_file), number(directory / use_file)
        if limit is not None and use is not None:
            # The bytes of a release that was just verified count as used, yet can be had back at once.
            return max(0, limit - use + (_entry(directory / "memory.stat", spare) or 0))
    return None


def _entry(path: Path, name: str) -> int | None:
    words = (line.split() for line in text(path).splitlines())
    return next((int(line[1]) for line in words if line[:1] == [name] and line[1].isdigit()), None)
