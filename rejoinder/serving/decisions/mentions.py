"""Find lines of a log by the ids in them, without parsing every line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rejoinder.serving.decisions.files import LogFile
from rejoinder.serving.decisions.lines import lines_of, parse_json
from rejoinder.serving.decisions.record import ANSWER, Record
from rejoinder.serving.decisions.tombstones import Erased

#: Every id that a line can be erased by. What it finds elsewhere in a line is told apart by parsing that line.
_IDS = re.compile(rb'"(?:conversation|user|completion)"\s*:\s*"([^"]*)"')


def mentions(line: bytes, ids: frozenset[bytes]) -> bool:
    """Whether a line may be of one of some ids."""
    return not ids.isdisjoint(_IDS.findall(line))


def any_record(line: bytes) -> Record | None:
    """The object that a line holds, be it of our version or not; None if it holds none."""
    try:
        return parse_json(line)
    except ValueError:
        return None


def erased_completions(files: Iterable[LogFile], erased: Erased) -> set[str]:
    """Find the answers that are erased by their conversation or user.

    Args:
        files: to look through; none is opened if nothing is erased.
        erased: what is.

    Returns:
        The ids of their completions.
    """
    found: set[str] = set()
    ids = erased.ids
    for file in files if erased else ():
        for _, line in lines_of(file.path):
            record = any_record(line) if mentions(line, ids) else None
            if record is not None and record.get("kind") == ANSWER and erased.takes(record):
                found.add(str(record.get("completion")))
    return found
