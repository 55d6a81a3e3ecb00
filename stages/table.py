"""The messages table: one row a message, and the reader that makes rows of raw files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

#: One row a message. `order` is the message's place in its source, which breaks ties of `sent_at`.
MESSAGES = pl.Schema(
    {
        "source": pl.String(),
        "conversation_id": pl.String(),
        "message_id": pl.String(),
        "sender": pl.String(),
        "sent_at": pl.Datetime("ms", "UTC"),
        "order": pl.Int64(),
        "text": pl.String(),
        "reaction": pl.String(),
        "role": pl.String(),
    }
)

#: What was rejected, where, and why; `row` is the raw row, so that nothing is lost.
QUARANTINE = pl.Schema(
    {
        "source": pl.String(),
        "file": pl.String(),
        "line": pl.Int64(),
        "reason": pl.String(),
        "row": pl.String(),
    }
)

Reaction = Literal["love", "funny", "upvote", "meaningless", "offensive", "downvote"]
Role = Literal["user", "bot"]

REACTIONS: tuple[Reaction, ...] = get_args(Reaction)
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Message:
    """A readable row, and where it stood."""

    file: str
    line: int
    conversation_id: str
    message_id: str
    sender: str
    sent_at: datetime
    text: str
    reaction: Reaction | None = None
    role: Role = "user"


@dataclass(frozen=True, slots=True)
class Rejected:
    """An unreadable row: where it stood, why it was rejected, and the row itself."""

    file: str
    line: int
    reason: str
    row: str


#: A reader turns one path into messages and rejected rows, in the order of the source.
Reader = Callable[[Path], Iterator[Message | Rejected]]


def read_messages(path: Path) -> pl.DataFrame:
    """Read a messages table and check its columns.

    Args:
        path: a parquet file.

    Returns:
        The table, with exactly the columns of `MESSAGES`.

    Raises:
        DataError: if the file is not readable, or a column is missing or of another type.
    """
    from stages.errors import DataError

    try:
        found: dict[str, Any] = dict(pl.read_parquet_schema(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: expected a messages table (parquet), got {type(error).__name__}") from None
    wrong = [
        f"{name}: expected {t}, got {found.get(name, 'no such column')}"
        for name, t in MESSAGES.items()
        if found.get(name) != t
    ]
    if wrong:
        raise DataError("\n".join([f"{path}: not a messages table", *wrong, "next: run the ingest stage again"]))
    return pl.read_parquet(path, columns=MESSAGES.names())
