"""Native logs: `*.jsonl`, a message a line; `*.feedback.jsonl`, a rated conversation. See docs/data-format.md."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from stages.common.errors import DataError
from stages.common.messages import Feedback, Item, Message, Reaction, Rejected, Role
from stages.ingest.readers.exports import ARCHIVES, shown, unchanged, unreadable
from stages.ingest.readers.rows import END, EPOCH, MAX_IDENTIFIER, Rating, Scale, reason

SUFFIX, FEEDBACK_SUFFIX = ".jsonl", ".feedback.jsonl"

Strict = TypeVar("Strict", bound=BaseModel)

#: Bytes of a line that is still read: a longer one is no chat message, and may be any size.
MAX_LINE = 2**20

Identifier = Annotated[str, StringConstraints(pattern=r"\S", max_length=MAX_IDENTIFIER)]


class Row(BaseModel):
    """One line."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    conversation_id: Identifier
    message_id: Identifier
    sender: Identifier
    sent_at: Annotated[AwareDatetime, Field(ge=EPOCH, lt=END)]
    text: str
    reaction: Reaction | None = None
    role: Role = "user"
    reply_to: Identifier | None = None


class FeedbackRow(BaseModel):
    """One line of session feedback."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    conversation_id: Identifier
    ratings: Annotated[Mapping[Scale, Rating], Field(min_length=1)]
    rater: Identifier | None = None


def read(logs: Path) -> Iterator[Item]:
    """Read every `*.jsonl` of a folder, in the order of their names.

    Args:
        logs: the folder; subfolders are not searched.

    Returns:
        One item a line; lines of white space only are skipped. A link, an archive or a file that cannot be opened
        is one rejected row.

    Raises:
        DataError: if the folder is missing, or naming every file without a single row.
    """
    if not logs.is_dir():
        raise DataError(f"{logs}: expected a folder of *.jsonl logs, got no such folder; next: make it, even empty")
    paths = sorted(path for path in logs.iterdir() if takes(path))
    refused = {path: why for path in paths if (why := _refused(path))}
    files = [path for path in paths if path not in refused]
    if empty := [number for number, path in enumerate(files, start=1) if _is_empty(path)]:
        # Not named: people name files after people.
        found = (
            f"{logs}: expected at least one row in each *.jsonl, got empty files; by name they are number {empty}"
        )
        raise DataError(f"{found} of {len(files)}; next: remove them, or export them again")
    rejected = [Rejected(shown(path, logs), 1, why, "") for path, why in refused.items()]
    return _items(logs, files, rejected)


def takes(path: Path) -> bool:
    """Tell of a file or link beside the exports whether it is read, or rejected as a row."""
    return path.suffix.lower() in {SUFFIX, *ARCHIVES}


def _items(logs: Path, files: list[Path], rejected: list[Rejected]) -> Iterator[Item]:
    yield from rejected
    for path in files:
        name = shown(path, logs)
        parse_line = parse_feedback if path.name.lower().endswith(FEEDBACK_SUFFIX) else parse
        with unchanged(path, name) as file:
            yield from lines(name, file, parse_line)


def lines(name: str, file: BinaryIO, parse_line: Callable[[str, int, bytes], Item]) -> Iterator[Item]:
    """Read a file line by line, holding `MAX_LINE` bytes at most.

    Args:
        name: the name to report.
        file: the open file.
        parse_line: reads one line.

    Yields:
        One item a line that is not blank.
    """
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            yield Rejected(
                name, number, f"line longer than {MAX_LINE} bytes", line.decode("utf-8", "backslashreplace")
            )
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE)
        elif line.strip():
            yield parse_line(name, number, line.removeprefix(codecs.BOM_UTF8))


def parse(file: str, number: int, line: bytes) -> Item:
    """Read one message strictly.

    Args:
        file: the name to report.
        number: the line's number, from 1.
        line: the raw bytes.

    Returns:
        The message, or the line as it is with a reason that names fields and kinds of errors, never values.
    """
    row = _parsed(Row, file, number, line)
    return row if isinstance(row, Rejected) else Message(file=file, line=number, **dict(row))


def parse_feedback(file: str, number: int, line: bytes) -> Item:
    """Read one rated conversation strictly, as `parse`."""
    row = _parsed(FeedbackRow, file, number, line)
    return row if isinstance(row, Rejected) else Feedback(file=file, line=number, **dict(row))


def _parsed(kind: type[Strict], file: str, number: int, line: bytes) -> Strict | Rejected:
    try:
        raw = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        return Rejected(file, number, "not UTF-8", line.decode("utf-8", "backslashreplace").strip())
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        return Rejected(file, number, reason(error), raw)


def _refused(path: Path) -> str | None:
    if path.suffix.lower() in ARCHIVES:
        return "archive: unpack it first"
    try:
        if path.is_symlink() or not path.is_file():
            return "link or no regular file: not read"
        path.open("rb").close()
    except OSError as error:
        return unreadable(error)
    return None


def _is_empty(path: Path) -> bool:
    with path.open("rb") as file:
        return not any(block.strip() for block in iter(lambda: file.read(MAX_LINE), b""))
