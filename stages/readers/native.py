"""Native logs: `*.jsonl`, one message a line. docs/data-format.md describes the fields."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from stages.errors import DataError
from stages.table import Message, Reaction, Rejected, Role

Identifier = Annotated[str, StringConstraints(pattern=r"\S")]


class Row(BaseModel):
    """One line."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    conversation_id: Identifier
    message_id: Identifier
    sender: Identifier
    sent_at: AwareDatetime
    text: str
    reaction: Reaction | None = None
    role: Role = "user"


def read(logs: Path) -> Iterator[Message | Rejected]:
    """Read every `*.jsonl` of a folder, in the order of their names.

    Args:
        logs: the folder; subfolders are not searched.

    Yields:
        One item a line; lines of white space only are skipped.

    Raises:
        DataError: if the folder is missing, or naming every file without a single row.
    """
    if not logs.is_dir():
        raise DataError(f"{logs}: expected a folder of *.jsonl logs, got no such folder; next: make it, even empty")
    paths = sorted(logs.glob("*.jsonl"))
    if empty := [path for path in paths if _is_empty(path)]:
        found = [f"{path}: expected at least one row, got an empty file" for path in empty]
        raise DataError("\n".join([*found, "next: remove the files above, or export them again"]))
    for path in paths:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield parse(path.name, number, line.removeprefix(codecs.BOM_UTF8))


def parse(file: str, number: int, line: bytes) -> Message | Rejected:
    """Read one line strictly.

    Args:
        file: the name to report.
        number: the line's number, from 1.
        line: the raw bytes.

    Returns:
        The message, or the line as it is with a reason that names fields and kinds of errors, never values.
    """
    try:
        raw = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        return Rejected(file, number, "not UTF-8", line.decode("utf-8", "backslashreplace").strip())
    try:
        row = Row.model_validate_json(raw)
    except ValidationError as error:
        return Rejected(file, number, _reason(error), raw)
    return Message(file=file, line=number, **dict(row))


def _is_empty(path: Path) -> bool:
    with path.open("rb") as file:
        return not any(line.strip() for line in file)


def _reason(error: ValidationError) -> str:
    # An unknown key may itself be somebody's name, so it is not repeated; the quarantined row shows it.
    problems = {
        "unknown key" if e["type"] == "extra_forbidden" else ": ".join([*map(str, e["loc"]), e["type"]])
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    }
    return "; ".join(sorted(problems))
