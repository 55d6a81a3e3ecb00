"""Notes: which form of a model was found fastest on this machine. They save time, and prove nothing."""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rejoinder.atomic import write_text
from rejoinder.parts.engines import available_providers
from rejoinder.process import threads
from rejoinder.release.canonical import Digest, digest_bytes

_CPUINFO = Path("/proc/cpuinfo")
#: What two machines must share so that a note of one holds on the other.
_LINES = ("model name", "flags", "CPU implementer", "CPU part", "Features")
_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino")
_DIGITS = 16  # of a digest, in a file's name
_MAX_BYTES = 1 << 16
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40} on [A-Za-z0-9_.-]{1,40}")


@dataclass(frozen=True, slots=True)
class Note:
    """What was found when a model was first opened here.

    Attributes:
        execution: what runs it.
        texts_per_second: of every execution that was tried, one text at a time.
        skipped: executions that are not run here.
    """

    execution: str
    texts_per_second: Mapping[str, float]
    skipped: tuple[str, ...]

    def __str__(self) -> str:
        rates = ", ".join(f"{name} {rate:.0f}" for name, rate in self.texts_per_second.items())
        skipped = f"; not run here: {', '.join(self.skipped)}" if self.skipped else ""
        return f"{self.execution} (texts a second: {rates}{skipped})"


def note_path(folder: Path, model: Digest) -> Path:
    """Where the note on a model bundle is kept for this machine."""
    return folder / f"{_short(model)}-{machine()}.json"


def machine() -> str:
    """Digest of what decides which form is fastest: processor, threads, engines and their versions."""
    try:
        lines = [line for line in _CPUINFO.read_text().splitlines() if line.startswith(_LINES)]
    except OSError:
        lines = []
    lines += [platform.machine(), platform.processor()]
    known = [*sorted(set(lines)), str(threads()), *available_providers(), *map(_version, _PACKAGES)]
    return _short(digest_bytes("\n".join(known).encode()))


def write_note(path: Path, note: Note) -> None:
    """Keep a note, where that is possible: a store may be read-only here, and is measured again next time."""
    try:
        path.parent.mkdir(exist_ok=True)
        write_text(path, json.dumps(asdict(note), indent=2) + "\n")
    except OSError as error:
        logging.getLogger(__name__).warning(
            "%s: what runs fastest could not be noted: %s", path.parent, type(error).__name__
        )


def read_note(path: Path) -> Note | None:
    """Read a note.

    Args:
        path: where it may be.

    Returns:
        The note; None if there is none that can be read.
    """
    try:
        found = json.loads(_bytes_of(path))
        rates = {name: float(rate) for name, rate in found["texts_per_second"].items()}
        note = Note(found["execution"], rates, tuple(found["skipped"]))
        named = all(_NAME.fullmatch(name) for name in (note.execution, *rates, *note.skipped))
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return note if named else None


def _bytes_of(path: Path) -> bytes:
    """A plain file's bytes, at most as many as a note has; a link or a pipe is none."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("no plain file")
        return file.read(_MAX_BYTES)


def read_notes(folder: Path) -> dict[str, Note]:
    """All notes of this machine.

    Args:
        folder: where they are kept; it may not exist.

    Returns:
        Note by the first digits of the model bundle's digest.
    """
    paths = sorted(folder.glob(f"*-{machine()}.json"))
    return {path.name[:_DIGITS]: note for path in paths if (note := read_note(path))}


def drop_notes(folder: Path, models: set[Digest]) -> None:
    """Remove the notes on models that are no longer there.

    Args:
        folder: where notes are kept; it may not exist.
        models: bundles that stay.
    """
    kept = {_short(model) for model in models}
    for path in [] if folder.is_symlink() else [*folder.glob("*.json"), *folder.glob(".*.part")]:
        if path.name[:_DIGITS] not in kept:
            with suppress(OSError):  # another user's: it does no harm
                path.unlink(missing_ok=True)


def _short(digest: Digest) -> str:
    return digest.removeprefix("sha256:")[:_DIGITS]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
