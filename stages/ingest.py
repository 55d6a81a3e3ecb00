"""Ingest: logs -> readers -> one messages table, unreadable rows to a quarantine table with reasons."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field, field_validator
from tqdm import tqdm

from rejoinder.text import normalize
from stages.errors import DataError
from stages.output import whole_directory, write_json
from stages.params import StageParams
from stages.readers import READERS, ReaderName
from stages.table import MESSAGES, QUARANTINE, Message, Rejected

#: Rows held as Python objects at a time; 100,000 are about 60 MB.
CHUNK = 100_000

_PLACE = {"file": pl.String(), "line": pl.Int64()}
_PLACED = pl.Schema({**MESSAGES, **_PLACE})


class Params(StageParams):
    """Section `ingest` of params.yaml."""

    readers: list[ReaderName] = Field(min_length=1)
    """What to read, in this order; each at most once. Only `native` looks into the folder of logs."""

    max_rejected_share: float = Field(ge=0, le=1)
    """Share of a source's rows that may be rejected before the stage fails: more is a wrong format, not bad luck.
    Judged for each source, so that a small broken one cannot hide behind a large one."""

    @field_validator("readers")
    @classmethod
    def _unique(cls, readers: list[ReaderName]) -> list[ReaderName]:
        if len(set(readers)) < len(readers):
            raise ValueError("each reader may be named only once")
        return readers


@dataclass(frozen=True, slots=True)
class Ingested:
    """One source: its messages, and what was rejected."""

    messages: pl.DataFrame
    quarantine: pl.DataFrame

    @property
    def rows_read(self) -> int:
        """Rows that the reader saw, good or bad."""
        return self.messages.height + self.quarantine.height

    @property
    def rejected_share(self) -> float:
        """Rejected rows / rows read; 0 without any row."""
        return self.quarantine.height / max(self.rows_read, 1)

    def summary(self) -> dict[str, Any]:
        """Counts for the card; `rows_read == rows_out + sum(rejected.values())`."""
        return {
            "rows_read": self.rows_read,
            "rows_out": self.messages.height,
            "rejected": _counts(self.quarantine),
            "rejected_share": round(self.rejected_share, 6),
            "conversations": self.messages["conversation_id"].n_unique(),
        }


def ingest(source: str, items: Iterable[Message | Rejected]) -> Ingested:
    """Sort one reader's items into messages and rejected rows.

    Args:
        source: the reader's name; prefixed to conversation ids, so that sources cannot collide.
        items: what the reader yields.

    Returns:
        Every item, in order, in exactly one of the two tables.
    """
    messages, rejected = [_PLACED.to_frame()], [QUARANTINE.to_frame()]
    order = 0
    for chunk in _chunks(items):
        good = [item for item in chunk if isinstance(item, Message)]
        rows = [_row(source, place, message) for place, message in enumerate(good, start=order)]
        bad = [(source, r.file, r.line, r.reason, r.row) for r in chunk if isinstance(r, Rejected)]
        messages.append(pl.DataFrame(rows, schema=_PLACED, orient="row"))
        rejected.append(pl.DataFrame(bad, schema=QUARANTINE, orient="row"))
        order += len(good)
    table = pl.concat(messages)
    visible = table["text"].map_elements(lambda text: normalize(text) != "", return_dtype=pl.Boolean())
    kept, blank = table.filter(visible), table.filter(~visible)
    first = kept.select(pl.struct("conversation_id", "message_id").is_first_distinct()).to_series()
    rejected += [
        _reject(blank, "blank text"),
        _reject(kept.filter(~first), "duplicate conversation_id, message_id"),
    ]
    return Ingested(
        messages=kept.filter(first).select(MESSAGES.names()),
        quarantine=pl.concat(rejected).sort("file", "line", maintain_order=True),
    )


def _chunks(items: Iterable[Message | Rejected]) -> Iterator[list[Message | Rejected]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _row(source: str, order: int, m: Message) -> tuple[Any, ...]:
    conversation = f"{source}/{m.conversation_id}"
    return (
        source,
        conversation,
        m.message_id,
        m.sender,
        m.sent_at,
        order,
        m.text,
        m.reaction,
        m.role,
        m.file,
        m.line,
    )


def _reject(table: pl.DataFrame, reason: str) -> pl.DataFrame:
    row = pl.struct(pl.exclude("source", "order", "file", "line")).struct.json_encode()
    return table.select("source", "file", "line", reason=pl.lit(reason), row=row)


def _counts(quarantine: pl.DataFrame) -> dict[str, int]:
    counts = quarantine["reason"].value_counts().sort("count", "reason", descending=[True, False])
    return dict(counts.iter_rows())


def problems(sources: dict[ReaderName, Ingested], max_rejected_share: float) -> list[str]:
    """List what is wrong with the sources as a whole.

    Args:
        sources: what was ingested, by reader.
        max_rejected_share: largest allowed share of rejected rows in one source.

    Returns:
        One line a problem, never with a message's text; empty if all is well.
    """
    found = []
    for name, source in sources.items():
        if source.rejected_share <= max_rejected_share:
            continue
        found.append(
            f"{name}: expected at most {max_rejected_share:.2%} rejected rows, got {source.rejected_share:.2%} "
            f"({source.quarantine.height} of {source.rows_read}): {json.dumps(_counts(source.quarantine))}"
        )
        head = source.quarantine.head(10).select("file", "line", "reason")
        found += [f"  {file}:{line}: {reason}" for file, line, reason in head.iter_rows()]
    if not any(source.messages.height for source in sources.values()):
        found.append(f"expected at least one message from {', '.join(sources)}, got none")
    return found


def card(sources: dict[ReaderName, Ingested]) -> dict[str, Any]:
    """Compose the card: totals, and the same counts by source."""
    read = sum(source.rows_read for source in sources.values())
    kept = sum(source.messages.height for source in sources.values())
    by_source = {name: source.summary() for name, source in sources.items()}
    return {"rows_read": read, "rows_out": kept, "rejected": read - kept, "sources": by_source}


def run(params: Params, *, logs: Path, out: Path) -> None:
    """Read all sources.

    Args:
        params: section `ingest`.
        logs: folder of raw logs.
        out: directory to fill with messages.parquet, quarantine.parquet and card.json.

    Raises:
        DataError: if a source has too many rejected rows, or there is no message at all. The rejected rows
            are then beside `out`, in `<out>.rejected.parquet`.
    """
    sources = {
        name: ingest(name, tqdm(READERS[name](logs), desc=f"ingest {name}", unit=" rows"))
        for name in params.readers
    }
    quarantine = pl.concat(source.quarantine for source in sources.values())
    # Beside `out`, which is replaced as a whole or not at all: what was rejected must outlive the failure.
    rescued = out.with_name(f"{out.name}.rejected.parquet")
    if found := problems(sources, params.max_rejected_share):
        rescued.parent.mkdir(parents=True, exist_ok=True)
        quarantine.write_parquet(rescued)
        advice = f"next: look at the rejected rows in {rescued}; correct the logs, or raise max_rejected_share"
        raise DataError("\n".join(["the logs cannot be used", *found, advice]))
    rescued.unlink(missing_ok=True)
    with whole_directory(out) as directory:
        pl.concat(source.messages for source in sources.values()).write_parquet(directory / "messages.parquet")
        quarantine.write_parquet(directory / "quarantine.parquet")
        write_json(directory / "card.json", card(sources))
