"""Finding and opening the files of an export. Nothing is followed out of its folder, nothing is unpacked."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from stages.common.errors import DataError
from stages.common.messages import Item, Rejected

ARCHIVES = frozenset({".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst"})

#: Bytes of a file that is still opened: it is held in memory as a whole, at several times its size.
MAX_FILE = 512 * 2**20

_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True, slots=True)
class Export:
    """The files of one source."""

    logs: Path
    files: list[Path] = field(default_factory=list)
    #: Files that will not be opened.
    rejected: list[Rejected] = field(default_factory=list)


def find(logs: Path, name: str, wanted: Callable[[Path], bool], expected: str) -> Export:
    """List the files of an export.

    Args:
        logs: the folder of logs; the export is everywhere below its subfolder `name`.
        name: of the reader.
        wanted: tells a file of the export by its path. Hidden files are none.
        expected: what is wanted, in words.

    Returns:
        The files in the order of their paths; none if there is no such subfolder.

    Raises:
        DataError: if the subfolder is no folder, cannot be listed, or holds no file of an export.
    """
    root = logs / name
    export = Export(logs)
    if not root.exists() and not root.is_symlink():
        return export
    if root.is_symlink() or not root.is_dir():
        raise DataError(f"{root}: expected a folder, got a link or a file; next: put the export itself there")
    others = 0
    for path in _walk(root):
        if why := _refused(path, root, wanted):
            export.rejected.append(Rejected(shown(path, logs), 1, why, ""))
        elif wanted(path):
            export.files.append(path)
        else:
            others += 1
    if not export.files:
        got = f"{others} other files, {len(export.rejected)} links or archives"
        advice = f"next: unpack the export into it, or remove the folder if there is no {name} export"
        raise DataError(f"{root}: expected {expected}, got none ({got}); {advice}")
    return export


def _walk(root: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise DataError(f"{root}: expected folders that can be listed, got {type(error).__name__}") from None

    for folder, folders, files in os.walk(root, onerror=fail):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = sorted(
            name for name in folders if not name.startswith((".", "__MACOSX")) and name not in links
        )
        yield from (Path(folder) / name for name in sorted([*files, *links]) if not name.startswith("."))


def _refused(path: Path, root: Path, wanted: Callable[[Path], bool]) -> str | None:
    try:
        if path.is_symlink():
            return "symbolic link: not followed"
        # Deeper archives are what people sent each other.
        if path.suffix.lower() in ARCHIVES and path.parent == root:
            return "archive: unpack it first"
        if wanted(path) and not path.is_file():
            return "not a regular file"
    except OSError as error:  # in a folder that can be listed, but not entered
        return unreadable(error)
    return None


def unreadable(error: OSError) -> str:
    """Say why a file is one rejected row, by the kind of error: its words name the file."""
    return f"file cannot be read: {type(error).__name__}"


def shown(path: Path, logs: Path) -> str:
    """Name of a file below the folder of logs; bytes that are not UTF-8 are spelled out."""
    return os.fsencode(path.relative_to(logs).as_posix()).decode("utf-8", "backslashreplace")


def documents(
    export: Export, parse: Callable[[str, Any], Iterator[Item]], hook: Callable[[Any], Any] | None = None
) -> Iterator[Item]:
    """Read JSON files, one at a time.

    Args:
        export: the files.
        parse: makes items of a file's name and its content.
        hook: changes every object of the file; as in `json.loads`.

    Yields:
        Files that are not opened, then the items of each file, at least one. A file that is not JSON is one
        rejected row, at the line of the break.
    """
    yield from export.rejected
    for path in export.files:
        file = shown(path, export.logs)
        text = read_text(path, file)
        data = text if isinstance(text, Rejected) else _decoded(file, text, hook)
        if isinstance(data, Rejected):
            yield data
        else:
            yield from parse(file, data)


@contextmanager
def unchanged(path: Path, file: str) -> Iterator[BinaryIO]:
    """Open a file that is to be read to its end, and must be the same then: no file is half-read unsaid.

    Args:
        path: the file.
        file: its name below the folder of logs.

    Yields:
        The open file.

    Raises:
        DataError: if it was cut, grew or was written meanwhile, or fewer bytes came than it has.
    """
    with path.open("rb") as opened:
        before = os.fstat(opened.fileno())
        yield opened
        after = os.fstat(opened.fileno())
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if not same or opened.tell() != after.st_size:
            # Named by folder and size alone: apps name files after people.
            folder = file.partition("/")[0] if "/" in file else "native"
            raise DataError(
                f"{folder}/...: expected a file that stays as it is while it is read, got {before.st_size:,} bytes "
                f"before, {opened.tell():,} read, {after.st_size:,} after; "
                "next: let the export or the copy end, then run the stage again"
            )


def read_text(path: Path, file: str) -> str | Rejected:
    """Read a file as UTF-8, with or without byte order mark.

    Args:
        path: the file.
        file: the name to report.

    Returns:
        Its text, or the file as one rejected row, at the line that is not UTF-8.

    Raises:
        DataError: as `unchanged`.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            return Rejected(file, 1, f"file larger than {MAX_FILE // 2**20} MiB: export it in pieces", "")
        with unchanged(path, file) as opened:
            data = opened.read()
    except OSError as error:
        return Rejected(file, 1, unreadable(error), "")
    for mark, encoding in _ENCODINGS.items():
        if data.startswith(mark):
            return Rejected(file, 1, f"file in {encoding}, expected UTF-8", "")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected(file, data.count(b"\n", 0, error.start) + 1, "file not UTF-8", "")


def _decoded(file: str, text: str, hook: Callable[[Any], Any] | None) -> Any:
    if not text.strip():
        return Rejected(file, 1, "file empty", "")
    try:
        return json.loads(text, object_hook=hook)
    except json.JSONDecodeError as error:
        return Rejected(file, error.lineno, f"file not JSON: {error.msg} at column {error.colno}", "")
    except RecursionError:
        return Rejected(file, 1, "file not JSON: nested too deeply", "")
    except ValueError:  # a number of thousands of digits
        return Rejected(file, 1, "file not JSON: number too long", "")
