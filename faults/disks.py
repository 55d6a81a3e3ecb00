"""Disks that fill up at every write of an install."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from pathlib import Path
from unittest.mock import patch

from faults.outcome import Outcome
from faults.scene import Node, Sabotage, Scene, apart, evenly, nothing, two_releases
from faults.steps import EVERY, Steps, completes, count_steps, install
from registry.errors import RegistryError
from registry.pull.pull import pull
from registry.pull.sources.folder import FolderSource


def full_disks(root: Path, tries: int = EVERY, sabotage: Sabotage = nothing) -> Outcome:
    """Pull onto disks that have room for ever one page, or one name, more: each write and each new name fails once.

    The check for free space is switched off, as if another process took the space right after it. Survived is a
    disk on which the pull is refused in words, `current` stays whole, and a pull with room again completes; or on
    which there was room enough. Where nobody may mount disks, the steps of the pull are refused instead, each in
    turn and all that follow it.

    Args:
        root: an empty folder.
        tries: how many disks.
        sabotage: breaks the product.

    Returns:
        How many were survived.
    """
    scene = two_releases(root)
    (root / "disk").mkdir()
    if apart(_try_to_mount, root / "disk") != 0:
        return _refused_writes(scene, tries, sabotage)
    files = [path for folder in (scene.source / "bundles", scene.source / "releases") for path in folder.rglob("*")]
    pages, names = sum(-(-path.stat().st_size // _PAGE) for path in files) // 2, len(files) // 2
    # One of two releases is new; what is written twice, or beside it, is some pages and names more.
    disks = [(room, None) for room in range(pages + 4)] + [(None, room) for room in range(names + 8)]
    chosen = [disks[number - 1] for number in evenly(len(disks), tries)]
    codes = [apart(_fill, scene, room, sabotage) for room in chosen]
    note = f"a disk in memory: {codes.count(_FULL)} too small, {codes.count(_ROOM)} with room enough"
    return Outcome("a disk that fills up", len(codes), codes.count(_FULL) + codes.count(_ROOM), note)


_PAGE = 4096
_AMPLE = b"size=64m,nr_inodes=10000"
_FULL, _ROOM, _LOST = 10, 11, 12


def _fill(scene: Scene, room: tuple[int | None, int | None], sabotage: Sabotage) -> None:
    place = scene.root / "disk"
    _mount(place, _AMPLE)
    node = Node(Path(shutil.copytree(scene.root / "template", place / "node")))
    disk = os.statvfs(place)
    pages, names = disk.f_blocks - disk.f_bfree, disk.f_files - disk.f_ffree
    size = 64 << 20 if room[0] is None else (pages + room[0]) * _PAGE
    _mount(place, b"size=%d,nr_inodes=%d" % (size, 10_000 if room[1] is None else names + room[1]), again=True)
    sabotage()
    code = _ROOM
    try:
        with patch("registry.pull.pull.check_space"):
            pull(node.store, source=FolderSource(scene.source), trust=node.trust)
    except RegistryError as error:
        code = _FULL if "no space left" in str(error) else _LOST
    whole = node.serves(scene.old, scene.new)
    _mount(place, _AMPLE, again=True)
    sys.exit(code if whole and completes(scene, node) else _LOST)


def _mount(place: Path, options: bytes, *, again: bool = False) -> None:
    """Mount a disk in memory that no other process sees, and that goes with this one; `again` changes its size."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not again and (libc.unshare(_NEW_NAMESPACE) or libc.mount(b"none", b"/", None, _PRIVATE, None)):
        raise OSError(ctypes.get_errno(), "no mount namespace of our own")
    if libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", _REMOUNT if again else 0, options):
        raise OSError(ctypes.get_errno(), "no disk in memory")


_NEW_NAMESPACE, _REMOUNT, _PRIVATE = 0x20000, 0x20, 0x44000  # of sched.h and sys/mount.h


def _try_to_mount(place: Path) -> None:
    try:
        _mount(place, _AMPLE)
    except OSError:
        sys.exit(_LOST)


def _refused_writes(scene: Scene, tries: int, sabotage: Sabotage) -> Outcome:
    total = count_steps(scene.root, install, scene.node(), scene.source, sabotage)
    codes = [apart(_refuse, scene, number, sabotage) for number in evenly(total, tries)]
    return Outcome(
        "a disk that fills up", len(codes), codes.count(_FULL) + codes.count(_ROOM), "writes that were refused"
    )


def _refuse(scene: Scene, number: int, sabotage: Sabotage) -> None:
    node = scene.node()
    sabotage()
    steps = Steps([node.root], number, _no_space)
    code = _ROOM  # what was refused was not needed: the removal of something
    try:
        pull(node.store, source=FolderSource(scene.source), trust=node.trust)
    except RegistryError as error:
        code = _FULL if "no space left" in str(error) else _LOST
    steps.die_at = 0
    sys.exit(code if node.serves(scene.old, scene.new) and completes(scene, node) else _LOST)


def _no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


FAULTS = (full_disks,)
