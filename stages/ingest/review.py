"""Tables for people to look at: rows that were rejected or dropped, emptied where somebody is to be erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from stages.common.messages import QUARANTINE
from stages.ingest.chunks import CHUNK_ITEMS, appended
from stages.ingest.erasure import Senders, redact

#: Appends rows to a table.
Write = Callable[[pl.DataFrame], None]


@contextmanager
def review_table(path: Path, erased: Senders, aliases: Mapping[str, set[str]]) -> Iterator[Write]:
    """Write a review table.

    Args:
        path: the file to write.
        erased: senders to leave out, by source. Rows in which they can be found are emptied at once.
        aliases: what else the exports call them, by source. An export may tell only later, so rows are looked
            through again at the end.

    Yields:
        A function that appends rows.
    """
    with appended(path, QUARANTINE) as write:
        yield lambda table: write(_emptied(table, erased))
    if any(aliases.values()):
        _write_again(path, aliases)


def _write_again(path: Path, senders: Senders) -> None:
    from pyarrow import parquet

    fresh = path.with_suffix(".fresh")
    with parquet.ParquetFile(path) as file, appended(fresh, QUARANTINE) as write:
        for batch in file.iter_batches(batch_size=CHUNK_ITEMS):
            write(_emptied(pl.DataFrame(pl.from_arrow(batch)), senders))
    fresh.replace(path)


def _emptied(table: pl.DataFrame, senders: Senders) -> pl.DataFrame:
    parts = table.partition_by("source", as_dict=True).items()
    return pl.concat([QUARANTINE.to_frame(), *(redact(rows, senders.get(name, ())) for (name,), rows in parts)])
