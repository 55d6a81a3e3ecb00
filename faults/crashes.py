"""Crashes: killed at every step of an install and of a release, and disks that fill up at every write."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from faults.outcome import Outcome
from faults.scene import Node, Sabotage, Scene, apart, evenly, fresh_copy, nothing, two_releases
from registry.errors import RegistryError
from registry.mlflow.catalog import fetch_folder, fetch_manifest, read_catalog
from registry.mlflow.connection import connect
from registry.publish.promote import promote
from registry.publish.register import publish
from registry.pull.pull import pull
from registry.pull.sources.client import ClientSource
from registry.pull.sources.folder import FolderSource
from rejoinder.errors import BundleError
from rejoinder.parts import Kind
from rejoinder.parts.opened import open_current
from rejoinder.release.document import VERDICT
from tests.bundles import KEY, write_verdict

EVERY = 10_000  # more than there are steps
NAME = "rejoinder"
_READING = ("_", "get_", "search_", "list_")  # what comes before these came before the next change
_ONE_PATH = frozenset({"os.mkdir", "os.remove", "os.rmdir", "os.truncate"})


class Steps:
    """Counts what a process does to some folders; ends it right before one of these steps."""

    def __init__(self, roots: Sequence[Path], die_at: int, end: Callable[[], None] | None = None) -> None:
        """Watch from now on.

        Args:
            roots: the folders.
            die_at: number of the first step that is not to be; 0 for none.
            end: what happens then; by default it is killed.
        """
        self.done = 0
        self.die_at = die_at
        self._end = end or _die
        self._prefixes = tuple(f"{root}/" for root in roots)
        sys.addaudithook(self._hear)
        os.fsync = self._before(os.fsync)
        os.sendfile = self._before(os.sendfile, self._send_half)

    def step(self, dying: Callable[[], object] = nothing) -> None:
        """Count one step, or die.

        Args:
            dying: done in part before death.
        """
        self.done += 1
        if 0 < self.die_at <= self.done:
            dying()
            self._end()

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Audit events come before what they announce."""
        if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self._step_at(args[0])
        elif event == "os.rename":  # of os.replace too
            self._step_at(args[1], args[3])
        elif event in _ONE_PATH:
            self._step_at(args[0], args[-1])

    def _before(self, act: Callable[..., Any], dying: Callable[..., object] | None = None) -> Callable[..., Any]:
        def stepping(handle: int, *args: Any) -> Any:
            self._step_at(handle, dying=(lambda: dying(act, handle, *args)) if dying else nothing)
            return act(handle, *args)

        return stepping

    def _step_at(self, place: object, folder: object = -1, dying: Callable[[], object] = nothing) -> None:
        if f"{_path(place, folder)}".startswith(self._prefixes):
            self.step(dying)

    @staticmethod
    def _send_half(act: Callable[..., Any], out: int, source: int, offset: int, _count: int) -> None:
        act(out, source, offset, os.fstat(source).st_size // 2)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _path(place: object, folder: object) -> str:
    """A path as the kernel knows it, of an open file, or relative to an open folder."""
    if isinstance(place, int):
        return str(Path(f"/proc/self/fd/{place}").readlink())
    path = os.fsdecode(place) if isinstance(place, str | bytes | os.PathLike) else ""
    if isinstance(folder, int) and folder >= 0 and not path.startswith("/"):
        return f"{Path(f'/proc/self/fd/{folder}').readlink()}/{path}"
    return str(Path(path).absolute())


def killed_installs(root: Path, tries: int = EVERY, sabotage: Sabotage = nothing) -> Outcome:
    """Kill a pull at every step that it does to the store and the trust state.

    Survived is a kill after which `current` is the old or the new release, whole; which does not let a release back
    in that is older than the one served; and after which another pull serves the new release and leaves nothing.

    Args:
        root: an empty folder.
        tries: how many of the steps.
        sabotage: breaks the product.

    Returns:
        How many were survived.
    """
    scene = two_releases(root)
    total = _count(root, _install, scene.node(), scene.source, sabotage)
    steps = evenly(total, tries)
    survived = sum(_survives_install(scene, number, sabotage) for number in steps)
    return Outcome("SIGKILL at a step of an install", len(steps), survived, f"an install has {total} steps")


def _count(root: Path, target: Callable[..., None], *args: Any) -> int:
    """How many steps it takes if nothing kills it."""
    report = root / "steps"
    if apart(target, *args, 0, report) != 0:
        raise RuntimeError("it fails without being killed")
    return int(report.read_text())


def _install(node: Node, source: Path, sabotage: Sabotage, die_at: int, report: Path) -> None:
    sabotage()
    steps = Steps([node.root], die_at)
    pull(node.store, source=FolderSource(source), trust=node.trust)
    report.write_text(str(steps.done))


def _survives_install(scene: Scene, number: int, sabotage: Sabotage) -> bool:
    node = scene.node()
    died = apart(_install, node, scene.source, sabotage, number, scene.root / "steps") == -signal.SIGKILL
    whole = node.serves(scene.old, scene.new)
    return died and whole and _keeps_what_it_served(scene, node) and _completes(scene, node)


def _keeps_what_it_served(scene: Scene, node: Node) -> bool:
    """A source that has gone back to the old release does not bring it back where the new one was served."""
    if not node.serves(scene.new):
        return True
    with suppress(BundleError):
        pull(node.store, source=FolderSource(scene.before), trust=node.trust)
    return node.serves(scene.new)


def _completes(scene: Scene, node: Node) -> bool:
    pull(node.store, source=FolderSource(scene.source), trust=node.trust)
    opened = open_current(node.store, trust=node.trust)
    opened.close()
    return opened.release == scene.new and node.serves(scene.new) and node.is_tidy()


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
    sys.exit(code if whole and _completes(scene, node) else _LOST)


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
    total = _count(scene.root, _install, scene.node(), scene.source, sabotage)
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
    sys.exit(code if node.serves(scene.old, scene.new) and _completes(scene, node) else _LOST)


def _no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def killed_releases(root: Path, tries: int = EVERY, sabotage: Sabotage = nothing) -> Outcome:
    """Kill register and promote, against a local database, at every step to its files and every call that
    changes what MLflow holds.

    Survived is a kill after which the champion is the old or the new release, signed and with all its files, so
    that it can be pulled and opened; and after which both commands, typed again, make the new release the champion,
    with a serial of its own.

    Args:
        root: an empty folder.
        tries: how many of the steps.
        sabotage: breaks the product.

    Returns:
        How many were survived.
    """
    scene = two_releases(root / "scene")
    live, node = root / "live", scene.node()
    if apart(_ship_old, live, scene.bundles(scene.old), scene.bundles(scene.new)) != 0:
        raise RuntimeError("no first release")
    live.rename(root / "shipped")  # the database holds its own path, so it is used at one place only
    bundles = scene.bundles(scene.new)
    total = _count(root, _release, fresh_copy(root / "shipped", live), bundles, sabotage)
    steps = evenly(total, tries)
    survived = 0
    for number in steps:
        fresh_copy(root / "shipped", live)
        died = apart(_release, live, bundles, sabotage, number, root / "steps") == -signal.SIGKILL
        whole = apart(_look_release_look, live, node, bundles, (scene.old.content, scene.new.content)) == 0
        survived += died and whole
    return Outcome("SIGKILL at a step of register or promote", len(steps), survived, f"they have {total} steps")


def _act_on(live: Path) -> None:
    trust = live / "trust"
    if not trust.is_dir():
        trust.mkdir(parents=True)
        shutil.copy(KEY.with_suffix(".pub"), trust)
    uri = f"sqlite:///{live / 'mlflow.db'}"
    os.environ.update(MLFLOW_TRACKING_URI=uri, REJOINDER_TRUST=str(trust), REJOINDER_SIGNING_KEY=str(KEY))


def _ship_old(live: Path, old: Mapping[Kind, Path], new: Mapping[Kind, Path]) -> None:
    from tests.registry.artifacts import ship

    _act_on(live)
    write_verdict(live / VERDICT, new, ship(old, NAME).digest)


def _release(live: Path, bundles: Mapping[Kind, Path], sabotage: Sabotage, die_at: int, report: Path) -> None:
    from mlflow import MlflowClient

    _act_on(live)
    sabotage()
    steps = Steps([live], die_at)
    for name, act in vars(MlflowClient).items():
        if callable(act) and not name.startswith(_READING):
            setattr(MlflowClient, name, _counted(steps, act))
    publish(bundles, live / VERDICT, NAME)
    promote(NAME)
    report.write_text(str(steps.done))


def _counted(steps: Steps, act: Callable[..., Any]) -> Callable[..., Any]:
    def stepping(*args: Any, **kwargs: Any) -> Any:
        steps.step()
        return act(*args, **kwargs)

    return stepping


def _look_release_look(live: Path, node: Node, bundles: Mapping[Kind, Path], contents: Sequence[str]) -> None:
    """Ends with exit code 0 only if all is well."""
    _act_on(live)
    _look(node, contents)
    publish(bundles, live / VERDICT, NAME)
    promote(NAME)
    _look(node, contents[1:])


def _look(node: Node, contents: Sequence[str]) -> None:
    client = connect()
    shutil.rmtree(node.root)
    node.trust.root.mkdir(parents=True)
    shutil.copy(KEY.with_suffix(".pub"), node.trust.root)
    pulled = pull(node.store, NAME, source=ClientSource(client), trust=node.trust).release
    if pulled.content not in contents:
        raise RuntimeError(f"the champion is {pulled}")
    known = read_catalog(client, NAME).releases
    for version in known:
        with tempfile.TemporaryDirectory() as folder:
            release = fetch_folder(version, Path(folder), node.trust)
        for kind, digest in release.bundles.items():
            fetch_manifest(client, NAME, kind, digest)
    serials = [version.tags["serial"] for version in sorted(known, key=lambda version: version.number)]
    if sorted(set(serials), key=int) != serials:
        raise RuntimeError(f"serials do not rise: {serials}")


FAULTS = (killed_installs, killed_releases, full_disks)
