"""Files that are there whole or not at all, whatever is killed, and on the disk once they have their name."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_bytes(path: Path, data: bytes, *, mode: int = 0o666, partial: Path | None = None) -> None:
    """Write a file, in place of an older one if there is one; of several writers at once, the last one wins.

    Args:
        path: the file; its folder exists.
        data: what it is to hold.
        mode: its permissions, less the umask.
        partial: what takes its name once it is whole; by default a hidden sibling of a random name. With a fixed
            one, writers that take turns remove what a killed one has left.
    """
    partial = partial or _sibling(path)
    partial.unlink(missing_ok=True)
    try:
        _fill(partial, data, mode)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_text(path: Path, text: str, *, mode: int = 0o666, partial: Path | None = None) -> None:
    """Write a file of UTF-8 text, as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"), mode=mode, partial=partial)


def create_secret(path: Path, data: bytes) -> None:
    """Write a file for its owner's eyes, where none is yet; of several writers at once, the first one wins.

    Args:
        path: the file; its folder exists.
        data: what it is to hold.

    Raises:
        FileExistsError: if there is one.
    """
    partial = _sibling(path)
    try:
        _fill(partial, data, 0o600)
        path.hardlink_to(partial)  # a rename would replace what is there
    finally:
        partial.unlink(missing_ok=True)
    sync(path.parent)


def _sibling(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def _fill(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
