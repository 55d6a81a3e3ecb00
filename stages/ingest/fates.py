"""What became of every file: a table with names, for where the logs are kept, and lines without, for the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import PurePath
from typing import Any

import polars as pl

from stages.common import canaries
from stages.common.errors import DataError
from stages.common.sources import PACKAGED
from stages.ingest.counts import FATES, Tally
from stages.ingest.erasure import Senders, unnamed
from stages.ingest.files import BESIDE, ENDINGS, MEANT, MEDIA, NOT_ASKED, File

#: One row a file: its rows, what became of them, and of the file. `place` is the folder of its app, the reader of a
#: packaged file, or "logs"; `number` its place by name in there, by which it is called where no name may be shown.
FILES = pl.Schema(
    {
        "place": pl.String(),
        "number": pl.Int64(),
        "file": pl.String(),
        "rows": pl.Int64(),
        **{str(fate): pl.Int64() for fate in FATES},
        "fate": pl.String(),
        "why": pl.String(),
    }
)

#: Lines about single files on the screen.
SHOWN = 20

#: Fates of a file that are told, the worst first.
_TOLD = ("rejected", "partly rejected", "dropped", "not read")

#: Reasons that are told once for all files of a place.
_TOGETHER = (MEDIA, NOT_ASKED)


def files_table(files: Iterable[File], tallies: Mapping[str, Tally]) -> pl.DataFrame:
    """Put files and the counts of their rows together.

    Args:
        files: from `list_files`.
        tallies: counts by source.

    Returns:
        A table with the columns of `FILES`, by place and number.

    Raises:
        DataError: if what became of a file's rows does not add up.
    """
    why = {(file.place, file.name): file.why for file in files}
    by_place = {_place(source): tally for source, tally in tallies.items()}
    read = [(place, name) for place, tally in by_place.items() for name in tally.rows]
    rows = [
        {
            "place": place,
            "number": number,
            **_counts(by_place.get(place, Tally()), name, why.get((place, name), "")),
        }
        for place, keys in groupby(sorted({*why, *read}), key=itemgetter(0))
        for number, (_, name) in enumerate(keys, start=1)
    ]
    table = pl.DataFrame(rows, schema=FILES)
    if lost := table.filter(pl.sum_horizontal(FATES) != pl.col("rows")).height:
        raise DataError(
            f"files: expected the fates of rows to add up, got {lost} files where not; next: report this bug"
        )
    return table


def _place(source: str) -> str:
    return BESIDE if source == "native" else source


def _counts(tally: Tally, file: str, why: str) -> dict[str, Any]:
    rows = tally.rows[file]
    counts: dict[str, int] = {fate: tally.fates[fate][file] for fate in FATES}
    return {"file": file, "rows": rows, **counts, **_fate(rows, counts, tally.first_reasons.get(file, ""), why)}


def _fate(rows: int, counts: Mapping[str, int], reason: str, why: str) -> dict[str, str]:
    if not rows:
        return {"fate": "not read", "why": why}
    if counts["rejected"]:
        return {"fate": "rejected" if counts["rejected"] == rows else "partly rejected", "why": reason}
    if not counts["out"] and not counts["feedback"]:
        less = [f"{count:,} {fate.replace('_', ' ')}" for fate, count in counts.items() if count]
        return {"fate": "dropped", "why": ", ".join(less)}
    return {"fate": "read", "why": ""}


def without_names(table: pl.DataFrame, erased: Senders) -> pl.DataFrame:
    """Empty the names of files that hold the name of somebody erased.

    Args:
        table: from `files_table`.
        erased: senders, by source.

    Returns:
        The same rows.
    """
    senders = {_place(source): names for source, names in erased.items()}
    parts = table.partition_by("place", as_dict=True, maintain_order=True).items()
    emptied = [rows.with_columns(unnamed(rows["file"], senders.get(place, ()))) for (place,), rows in parts]
    return pl.concat([FILES.to_frame(), *emptied])


def unread(table: pl.DataFrame) -> int:
    """Count files that no reader takes, but for those that are not meant to be read."""
    return table.filter(pl.col("fate") == "not read", ~pl.col("why").is_in([MEDIA, MEANT])).height


def told(table: pl.DataFrame) -> list[str]:
    """Tell which logs were not read, or lost rows, without the names of their files: apps name them after people.

    Args:
        table: from `files_table`.

    Returns:
        One line a file, the worst first; beyond `SHOWN` one for all others.
    """
    last = dict(table.group_by("place").agg(pl.col("number").max()).iter_rows())
    own = table.filter(~pl.col("place").is_in([*PACKAGED, canaries.SOURCE]))
    worth = own.filter(pl.col("fate").is_in(_TOLD), ~pl.col("why").is_in([*_TOGETHER, MEANT]))
    rows = sorted(worth.to_dicts(), key=lambda row: _TOLD.index(row["fate"]))
    lines = [f"{row['place']}: file {row['number']} of {last[row['place']]} {_told(row)}" for row in rows[:SHOWN]]
    if len(rows) > SHOWN:
        lines.append(f"and {len(rows) - SHOWN:,} more files")
    return lines + _together(table)


def _told(row: Mapping[str, Any]) -> str:
    ending = PurePath(row["file"]).suffix.lower()
    what = f"{row['rejected']:,} of {row['rows']:,} rows rejected" if row["rejected"] else str(row["fate"])
    return f"({ending if ending in ENDINGS else 'other'}): {what}: {row['why']}"


def _together(table: pl.DataFrame) -> list[str]:
    counts = Counter(table.filter(pl.col("why").is_in(_TOGETHER)).select("place", "why").iter_rows())
    return [f"{place}: {number:,} not read: {why}" for (place, why), number in sorted(counts.items())]
