"""Leases: a reader marks the release that it uses, so that the collection of old releases leaves it alone.

A lease is a shared lock on the release document; the kernel gives it back when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rejoinder.errors import StoreError
from rejoinder.release.document import RELEASE


def take_lease(folder: Path) -> BinaryIO:
    """Mark a release folder as in use, until the file returned is closed or the process ends.

    Args:
        folder: the release folder.

    Returns:
        An open file that holds a shared lock.

    Raises:
        StoreError: if the folder is being removed or is gone.
    """
    removed = StoreError(f"{folder}: the release was removed meanwhile. Next: try again")
    try:
        file = (folder / RELEASE).open("rb")
    except OSError:
        raise removed from None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise removed from None
    if os.fstat(file.fileno()).st_nlink == 0:
        file.close()
        raise removed
    return file


@contextmanager
def sole_use(folder: Path) -> Iterator[bool]:
    """Keep readers off a release folder while it is being removed.

    Args:
        folder: the release folder.

    Yields:
        Whether nobody uses it; if so, nobody can take a lease meanwhile.
    """
    with (folder / RELEASE).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
