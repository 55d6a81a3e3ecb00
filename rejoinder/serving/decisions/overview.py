"""An overview of a log: what is in each of its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rejoinder.serving.decisions.files import LogFile, is_held, log_files
from rejoinder.serving.decisions.read import Counts, Logged, read_decisions
from rejoinder.serving.decisions.record import ANSWER, REACTION, TEXTS


@dataclass(slots=True)
class FileOverview:
    """What is in one file, less what was erased.

    Attributes:
        since: when it was begun.
        worker: number of the worker that writes it.
        size: bytes.
        is_held: whether it is being written.
        answers: records.
        reactions: records.
        feedback: records.
        rejected: lines that are no records.
        texts: whether any text is in it.
    """

    since: str
    worker: int
    size: int
    is_held: bool
    answers: int = 0
    reactions: int = 0
    feedback: int = 0
    rejected: int = 0
    texts: bool = False


def overview(folder: Path) -> tuple[list[FileOverview], Counts]:
    """Count what is in a log, file by file.

    Args:
        folder: of the log.

    Returns:
        Its files, oldest first, and what was read of all of them.
    """
    counts = Counts()
    lines = read_decisions(folder, counts)
    files = {file.path.name: _empty(file) for file in log_files(folder)}
    for line in lines:
        if (file := files.get(line.file)) is None:  # begun meanwhile
            continue
        if not isinstance(line, Logged):
            file.rejected += 1
            continue
        kind = line.record["kind"]
        file.answers += kind == ANSWER
        file.reactions += kind == REACTION
        file.feedback += kind not in (ANSWER, REACTION)
        file.texts |= any(key in line.record for key in TEXTS)
    return list(files.values()), counts


def _empty(file: LogFile) -> FileOverview:
    return FileOverview(file.since, file.worker, file.size(), is_held(file.path))
