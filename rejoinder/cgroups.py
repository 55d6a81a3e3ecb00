"""Control groups: what Linux grants this process, read from the files of version 2, then 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")


def group_dirs(controller: str, proc: Path = PROC, groups: Path = GROUPS) -> Iterator[Path]:
    """Find the control groups that this process is in.

    Args:
        controller: what they ration: "memory", "cpu".
        proc: where the kernel's process files are.
        groups: where the control groups are.

    Yields:
        The directory of each, up to the root.
    """
    for line in text(proc / "self" / "cgroup").splitlines():
        hierarchy, controllers, path = [*line.split(":", 2), "", ""][:3]
        if hierarchy == "0" and not controllers:
            roots = [groups, groups / "unified"]
        elif controller in controllers.split(","):
            roots = [groups / controller]
        else:
            continue
        # Seen from within a container the path may be the machine's, and lead nowhere: then the root is ours.
        inside = PurePosixPath(path.lstrip("/"))
        for root in roots:
            yield from (root / part for part in (inside, *inside.parents) if ".." not in part.parts)


def cpu_quota(proc: Path = PROC, groups: Path = GROUPS) -> float | None:
    """How many CPUs' time the control groups grant this process, all its threads together; None: all there is."""
    quotas = [quota for quota in map(_quota, group_dirs("cpu", proc, groups)) if quota is not None]
    return min(quotas, default=None)


def _quota(directory: Path) -> float | None:
    words = text(directory / "cpu.max").split() or [
        text(directory / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    # "max", or -1 in version 1, is no limit.
    if len(words) == 2 and all(word.isdecimal() and int(word) for word in words):
        return int(words[0]) / int(words[1])
    return None


def number(path: Path) -> int | None:
    """The number in a file; None if there is no such file, or no limit ("max")."""
    found = text(path).strip()
    return int(found) if found.isdecimal() else None


def text(path: Path) -> str:
    """What a file of the kernel holds; "" if it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
