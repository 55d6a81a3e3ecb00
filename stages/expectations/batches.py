"""Parts of a messages table, several at a time, and where their rows go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from rejoinder.progress import progress
from stages.expectations.suite import Finding
from stages.table import MESSAGES, part_path

#: Rows checked at a time, about 300 MB; a run of Great Expectations costs 0.2 s whatever the number.
BATCH_ROWS = 250_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Parts checked together.

    Attributes:
        numbers: of the parts, rising.
        messages: their rows, with `part`.
    """

    numbers: tuple[int, ...]
    messages: pl.DataFrame


def group_parts(rows: Sequence[int], limit: int) -> list[list[int]]:
    """Group parts in their order, so that a group has at most `limit` rows, or one part.

    Args:
        rows: of each part.
        limit: rows of a group.

    Returns:
        Positions of parts, group by group.
    """
    groups: list[list[int]] = []
    room = 0
    for place, height in enumerate(rows):
        if groups and height <= room:
            groups[-1].append(place)
        else:
            groups.append([place])
            room = limit
        room -= height
    return groups


def read_batches(parts: Sequence[Path]) -> Iterator[Batch]:
    """Read parts, several at a time.

    Args:
        parts: from `part_paths`.

    Yields:
        The batches, each read when it is asked for.
    """
    rows = [pl.scan_parquet(part).select(pl.len()).collect().item() for part in parts]
    with progress("validate: checking", "row", sum(rows)) as advance:
        for group in group_parts(rows, BATCH_ROWS):
            tables = [_read_part(parts[number], number) for number in group]
            yield Batch(tuple(group), pl.concat(tables))
            advance(sum(rows[number] for number in group))


def _read_part(path: Path, number: int) -> pl.DataFrame:
    table = pl.read_parquet(path, columns=MESSAGES.names())
    return table.with_columns(part=pl.lit(number, dtype=pl.Int32()))


def quarantine(messages: pl.DataFrame, findings: Sequence[Finding]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part the rows that broke any rule from the rest.

    Args:
        messages: the table that was checked.
        findings: of that table.

    Returns:
        The rows that passed, and the others with `rules`, the ids of what they broke; both keep their order.
    """
    broken = (
        pl.DataFrame(
            [(row, finding.rule.id) for finding in findings for row in finding.rows],
            schema={"position": pl.UInt32, "rules": pl.String},
            orient="row",
        )
        .group_by("position", maintain_order=True)
        .agg("rules")
    )
    numbered = messages.with_row_index("position")
    passed = numbered.join(broken, on="position", how="anti", maintain_order="left")
    rejected = numbered.join(broken, on="position", how="inner", maintain_order="left")
    return passed.drop("position"), rejected.drop("position")


def write_parts(directory: Path, numbers: Sequence[int], parts: int, rows: pl.DataFrame) -> None:
    """Write rows to the parts they came from; a part that is left without rows is written as well.

    Args:
        directory: made if it is not there.
        numbers: of the parts to write.
        parts: how many the table has.
        rows: with `part`, which is not written.
    """
    directory.mkdir(exist_ok=True)
    for number in numbers:
        rows.filter(pl.col("part") == number).drop("part").write_parquet(part_path(directory, number, parts))
