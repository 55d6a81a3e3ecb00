"""The messages table: one row a message, in parts of whole conversations; and what readers make of raw files."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from stages.common.errors import DataError

#: One row a message. `order` is the message's place in its source, which breaks ties of `sent_at`; `reply_to` the
#: `message_id` of the one that it answers, in its own conversation, where the app knows it.
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
        "reply_to": pl.String(),
    }
)

#: What was rejected or dropped, where, and why; `row` is the raw row, so that nothing is lost.
QUARANTINE = pl.Schema(
    {
        "source": pl.String(),
        "file": pl.String(),
        "line": pl.Int64(),
        "reason": pl.String(),
        "row": pl.String(),
    }
)

#: What somebody thought of a whole conversation, one row a scale; `rater` is null where nobody knows who it was.
FEEDBACK = pl.Schema(
    {
        "source": pl.String(),
        "conversation_id": pl.String(),
        "rater": pl.String(),
        "scale": pl.String(),
        "rating": pl.Int64(),
    }
)

#: Ratings from the worst to the best.
RATINGS = range(1, 11)

#: Names of those who take part, as an export tells them, raw. `sender` is the id on their messages, if known.
PARTICIPANTS = pl.Schema(
    {"source": pl.String(), "conversation_id": pl.String(), "sender": pl.String(), "name": pl.String()}
)

Reaction = Literal["love", "funny", "upvote", "meaningless", "offensive", "downvote"]
Role = Literal["user", "bot"]

REACTIONS: tuple[Reaction, ...] = get_args(Reaction)
ROLES: tuple[Role, ...] = get_args(Role)

_PART = re.compile(r"part-\d{5}-of-(\d{5})\.parquet", re.ASCII)

#: Who was erased, and how many messages that took: raw ids, for the stage that knows their pseudonyms.
ERASED = pl.Schema({"source": pl.String(), "sender": pl.String(), "messages": pl.Int64()})


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
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """A name by which somebody in a conversation is known: no row, but what the anonymiser must look for.

    A sender's own `sender` need not be repeated; nicknames, members who say nothing, and what an id is called are.
    """

    conversation_id: str
    name: str
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An unreadable row: where it stood, why it was rejected, and the row itself."""

    file: str
    line: int
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class Automated:
    """A row that no person wrote (a call, a join, "You sent a photo"): dropped, counted and kept for review."""

    file: str
    line: int
    kind: str
    row: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """A row in which somebody rates a whole conversation: session feedback, no message.

    Attributes:
        file: where it stood.
        line: the row's number in it, from 1.
        conversation_id: what was rated.
        ratings: of `RATINGS`, by scale.
        rater: who rated, if known.
    """

    file: str
    line: int
    conversation_id: str
    ratings: Mapping[str, int]
    rater: str | None = None


#: What becomes of a row: exactly one of these.
Row = Message | Rejected | Automated | Feedback
#: What a reader yields: its rows, and who takes part.
Item = Row | Participant

#: A reader turns the folder of logs into items, in the order of the source.
Reader = Callable[[Path], Iterator[Item]]


def part_of(conversation_id: str, parts: int) -> int:
    """Number of the part that holds a conversation, from 0: by hash, so that every stage agrees."""
    return zlib.crc32(conversation_id.encode()) % parts


def part_path(directory: Path, number: int, parts: int) -> Path:
    """File of one part of a table. Its name says how many there are, so that none can be lost unnoticed."""
    return directory / f"part-{number:05d}-of-{parts:05d}.parquet"


def part_paths(path: Path) -> list[Path]:
    """List the parts of a messages table, each of whole conversations.

    Args:
        path: a folder of `part-NNNNN-of-NNNNN.parquet`, or one parquet file.

    Returns:
        The parts, in the order of their numbers, which rise from 0 by 1.

    Raises:
        DataError: if there is none, one is missing, or one is not a messages table: all problems at once.
    """
    parts = sorted(path.glob("part-*.parquet")) if path.is_dir() else [path]
    problems = [problem for part in parts for problem in _problems(part)]
    if path.is_dir():
        problems += _gaps(path, parts)
    if problems:
        raise DataError("\n".join([*problems, "next: run the stage that writes this table again"]))
    return parts


def _gaps(directory: Path, found: list[Path]) -> list[str]:
    counts = {int(name[1]) for part in found if (name := _PART.fullmatch(part.name))}
    whole = {part_path(directory, number, parts) for parts in counts for number in range(parts)}
    if len(counts) == 1 and set(found) == whole:
        return []
    missing, others = len(whole - set(found)), len(set(found) - whole)
    got = f"{len(counts)} tables, {missing} parts missing, {others} other parts"
    return [f"{directory}: expected every part-NNNNN-of-NNNNN.parquet of one table, got {got}"]


def _problems(path: Path) -> list[str]:
    try:
        found: dict[str, Any] = dict(pl.read_parquet_schema(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        return [f"{path}: expected a messages table (parquet), got {type(error).__name__}"]
    return [
        f"{path}: {name}: expected {kind}, got {found.get(name, 'no such column')}"
        for name, kind in MESSAGES.items()
        if found.get(name) != kind
    ]


def read_messages(path: Path) -> pl.DataFrame:
    """Read a whole messages table and check its columns.

    Args:
        path: a folder of parts, or one parquet file.

    Returns:
        The table, with exactly the columns of `MESSAGES`.

    Raises:
        DataError: as `part_paths`.
    """
    return pl.concat(pl.read_parquet(part, columns=MESSAGES.names()) for part in part_paths(path))
