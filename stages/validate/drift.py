"""What the data were when they were last accepted, and how far they are from it now.

The accepted snapshot stands outside the DAG, like the key: it says what was released, not what these inputs make.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rejoinder.atomic import write_text
from rejoinder.home import home
from stages.checks.rule import Rule
from stages.common.errors import DataError
from stages.validate.counts import FLOOR, QUANTILES, lengths, summarize

#: Standard errors of the difference that are taken for chance; beyond three is one pair in 370.
SIGMAS = 3.0

CHANGES = pl.Schema(
    {
        "source": pl.String(),
        "metric": pl.String(),
        "accepted": pl.Float64(),
        "current": pl.Float64(),
        "row_loss": pl.Float64(),
        "share_change": pl.Float64(),
        "rate_change": pl.Float64(),
    }
)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Chars(_Strict):
    """Lengths of messages, at `counts.QUANTILES`."""

    p50: int = Field(default=0, ge=0)
    p90: int = Field(default=0, ge=0)
    p99: int = Field(default=0, ge=0)


class SourceSnapshot(_Strict):
    """One source, in counts; shares and rates follow from them, with their margins."""

    messages: int = Field(ge=0)
    conversations: int = Field(ge=0)
    senders: int = Field(ge=0)
    reactions: dict[str, int]
    """Messages with each reaction."""
    slots: dict[str, int]
    """Slots of each type."""
    chars: Chars


class Snapshot(_Strict):
    """What the messages were: the file `snapshot.json`."""

    version: Literal[1] = 1
    sources: dict[str, SourceSnapshot]


def snapshot_of(counts: pl.DataFrame) -> Snapshot:
    """Take the snapshot.

    Args:
        counts: from `counts.merge`, of the rows that passed.

    Returns:
        Counts by source; never a text, an id or a sender.
    """
    chars = {row.pop("source"): row for row in lengths(counts).to_dicts()}
    sources = {}
    for row in summarize(counts, {}).filter(pl.col("messages") > 0).to_dicts():
        source = row["source"]
        sources[source] = SourceSnapshot(
            messages=row["messages"],
            conversations=row["conversations"],
            senders=row["senders"],
            reactions=_values(counts, source, "reaction"),
            slots=_values(counts, source, "slot"),
            chars=Chars(**chars[source]),
        )
    return Snapshot(sources=sources)


def _values(counts: pl.DataFrame, source: str, measure: str) -> dict[str, int]:
    found = counts.filter(pl.col("source") == source, pl.col("measure") == measure)
    return dict(found.select("value", "count").iter_rows())


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot.

    Args:
        path: snapshot.json.

    Returns:
        The snapshot.

    Raises:
        DataError: if it is not one.
    """
    try:
        return Snapshot.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(
            f"{path}: expected a snapshot as `validate` writes it, got {type(error).__name__}\n"
            "next: copy one of a released build there, or remove the file: then drift is not judged once"
        ) from None


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot whole or not at all."""
    write_text(path, json.dumps(snapshot.model_dump(), indent=2) + "\n")


def accepted_file() -> Path:
    """Where the accepted snapshot stands."""
    return home() / "accepted" / "snapshot.json"


def accept(snapshot: Path) -> None:
    """Make a snapshot the one that later data are compared with; the one before is replaced in one step.

    Args:
        snapshot: of the build that was registered.

    Raises:
        DataError: if `snapshot` is not one.
    """
    found, accepted = read_snapshot(snapshot), accepted_file()
    accepted.parent.mkdir(parents=True, exist_ok=True)
    write_snapshot(accepted, found)


def changes(accepted: Snapshot, current: Snapshot) -> pl.DataFrame:
    """Compare two snapshots, source by source; a source that is new has nothing to be compared with.

    Args:
        accepted: the last that was released.
        current: of this build.

    Returns:
        Columns of `CHANGES`, one row a metric. Each has at most one of the three changes; none where the counts
        are too small to be judged. What chance may do is taken off shares and rates.
    """
    nothing = SourceSnapshot(messages=0, conversations=0, senders=0, reactions={}, slots={}, chars=Chars())
    rows = [
        {"source": source, **row}
        for source, before in sorted(accepted.sources.items())
        for row in _compare(before, current.sources.get(source, nothing))
    ]
    return pl.DataFrame(rows, schema=CHANGES)


def _compare(before: SourceSnapshot, now: SourceSnapshot) -> Iterator[dict[str, Any]]:
    for name in ("messages", "conversations", "senders"):
        a, b = getattr(before, name), getattr(now, name)
        yield _row(name, a, b, row_loss=max(0.0, (a - b) / a) if a >= FLOOR else None)
    if not before.messages or not now.messages:
        return
    sizes = (before.messages, now.messages)
    for name, a, b in _pairs(before.reactions, now.reactions):
        shares = (a / sizes[0], b / sizes[1])
        yield _row(f"share of {name}", *shares, share_change=share_change((a, b), sizes))
    for name, a, b in _pairs(before.slots, now.slots):
        rates = (1000 * a / sizes[0], 1000 * b / sizes[1])
        yield _row(f"{name} per 1,000", *rates, rate_change=rate_change((a, b), sizes))
    for quantile in QUANTILES:
        name = f"p{100 * quantile:.0f}"
        a, b = getattr(before.chars, name), getattr(now.chars, name)
        judged = min(sizes) * (1 - quantile) >= FLOOR
        yield _row(f"{name} characters", a, b, rate_change=abs(a - b) / max(a, b, 1) if judged else None)


def _pairs(before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    for name in sorted({*before, *now}):
        yield name, before.get(name, 0), now.get(name, 0)


def _row(metric: str, accepted: float, current: float, **change: float | None) -> dict[str, Any]:
    blank = dict.fromkeys(("row_loss", "share_change", "rate_change"))
    return {"metric": metric, "accepted": float(accepted), "current": float(current), **blank, **change}


def share_change(hits: tuple[int, int], sizes: tuple[int, int]) -> float:
    """How far a share moved beyond chance.

    Args:
        hits: messages with a label, before and now.
        sizes: messages, before and now; not 0.

    Returns:
        The absolute change less `SIGMAS` standard errors of the difference of two binomial shares (pooled), at
        least 0.
    """
    pooled = sum(hits) / sum(sizes)
    error = math.sqrt(pooled * (1 - pooled) * (1 / sizes[0] + 1 / sizes[1]))
    return max(0.0, abs(hits[0] / sizes[0] - hits[1] / sizes[1]) - SIGMAS * error)


def rate_change(found: tuple[int, int], sizes: tuple[int, int]) -> float:
    """How far a rate moved beyond chance, relative to the larger one: 0.5 is halved or doubled, 1 gone or new.

    Args:
        found: how many were found, before and now.
        sizes: in how many messages; not 0.

    Returns:
        The change less `SIGMAS` standard errors of the difference of two Poisson rates (pooled), at least 0.
    """
    rates = (found[0] / sizes[0], found[1] / sizes[1])
    error = math.sqrt(sum(found) / sum(sizes) * (1 / sizes[0] + 1 / sizes[1]))
    return max(0.0, abs(rates[0] - rates[1]) - SIGMAS * error) / max(*rates, 1 / max(sizes))


def drift_rules(*, max_row_loss: float, max_share_change: float, max_rate_change: float) -> tuple[Rule, ...]:
    """List the rules of the suite "drift", over the table of `changes`.

    Args:
        max_row_loss: share of a source's messages, conversations or senders.
        max_share_change: of a reaction's share of a source's messages, absolute.
        max_rate_change: of a slot type's rate or a length, relative to the larger of the two.

    Returns:
        The rules.
    """
    limits = {
        "row_loss": (f"a source lost at most {max_row_loss:.0%} of its rows", max_row_loss),
        "share_change": (f"a reaction's share moved by at most {max_share_change:.3f}", max_share_change),
        "rate_change": (f"a slot's rate or a length moved by at most {max_rate_change:.0%}", max_rate_change),
    }
    return tuple(
        Rule(
            f"drift_{column}",
            "critical",
            words,
            "ExpectColumnValuesToBeBetween",
            {"column": column, "max_value": most},
        )
        for column, (words, most) in limits.items()
    )
