"""The two passes over all sources. Memory holds one chunk of items or one part, whichever is larger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from rejoinder.progress import progress, track
from stages.common.messages import PARTICIPANTS, QUARANTINE, Item, part_of, part_path
from stages.ingest.chunks import (
    PLACED,
    appended,
    chunks,
    message_table,
    participant_table,
    rejected_table,
    sender_table,
)
from stages.ingest.counts import Tally
from stages.ingest.erasure import Senders, redact, spelling
from stages.ingest.selection import Selected, select_messages


def ingest_sources(
    sources: Mapping[str, Iterable[Item]], parts: int, languages: Collection[str], erased: Senders, directory: Path
) -> dict[str, Tally]:
    """Bring items into parts of whole conversations, first as they come, then part by part.

    Args:
        sources: items by source.
        parts: how many files to make.
        languages: ISO 639 codes of those that stay.
        erased: senders to leave out, by source, in any spelling.
        directory: where to write messages/, participants.parquet and quarantine.parquet.

    Returns:
        Counts by source.
    """
    tallies = {name: Tally(frozenset(map(spelling, erased.get(name, ())))) for name in sources}
    with (
        TemporaryDirectory(dir=directory, prefix=".spool-") as spool,
        appended(directory / "quarantine.parquet", QUARANTINE) as write,
        appended(directory / "participants.parquet", PARTICIPANTS) as know,
    ):
        quarantine = partial(_quarantine, tallies, erased, write)
        paths = [part_path(Path(spool), number, parts) for number in range(parts)]
        _spool(sources, paths, tallies, quarantine, know)
        (directory / "messages").mkdir()
        for path in track(paths, "ingest: settling", "part"):
            settled = select_messages(pl.read_parquet(path), languages)
            path.unlink()
            quarantine(settled.quarantine)
            _count(settled, tallies)
            settled.messages.write_parquet(directory / "messages" / path.name)
    return tallies


def _spool(
    sources: Mapping[str, Iterable[Item]],
    paths: Sequence[Path],
    tallies: Mapping[str, Tally],
    quarantine: Callable[[pl.DataFrame], None],
    know: Callable[[pl.DataFrame], None],
) -> None:
    with ExitStack() as files:
        append = [files.enter_context(appended(path, PLACED)) for path in paths]
        for name, items in sources.items():
            order = 0
            with progress(f"ingest: reading {name}", "row") as advance:
                for chunk in chunks(items):
                    tallies[name].read(chunk)
                    quarantine(rejected_table(name, chunk.rejected))
                    know(participant_table(name, chunk.participants))
                    table = message_table(name, chunk.messages, order)
                    order += table.height
                    know(sender_table(table))
                    for number, rows in _split(_drop_erased(table, tallies[name]), len(paths)):
                        append[number](rows)
                    advance(chunk.items)


def _drop_erased(table: pl.DataFrame, tally: Tally) -> pl.DataFrame:
    if not tally.to_erase:
        return table
    gone = table["sender"].is_in([name for name in table["sender"].unique() if spelling(name) in tally.to_erase])
    tally.erased.update(table.filter(gone)["sender"].to_list())
    return table.filter(~gone)


def _split(table: pl.DataFrame, parts: int) -> Iterator[tuple[int, pl.DataFrame]]:
    ids = table["conversation_id"].unique()
    numbers = pl.Series([part_of(name, parts) for name in ids], dtype=pl.Int64())
    number = pl.col("conversation_id").replace_strict(ids, numbers, return_dtype=pl.Int64())
    numbered = table.with_columns(_part=number).partition_by("_part", as_dict=True, include_key=False)
    yield from ((number, rows) for (number,), rows in numbered.items())


def _quarantine(
    tallies: Mapping[str, Tally], erased: Senders, write: Callable[[pl.DataFrame], None], table: pl.DataFrame
) -> None:
    for (source,), rows in table.partition_by("source", as_dict=True).items():
        tallies[source].reject(rows)
        write(redact(rows, erased.get(source, ())))


def _count(settled: Selected, tallies: Mapping[str, Tally]) -> None:
    for source, tally in tallies.items():
        mine = pl.col("source") == source
        tally.rows_out += settled.messages.filter(mine).height
        tally.other_language.update(settled.foreign.filter(mine)["language"].to_list())
        languages = settled.conversations.filter(mine)["language"]
        tally.conversations += len(languages)
        tally.undetermined += languages.null_count()
        tally.reordered.update(settled.reordered.filter(mine)["rule"].to_list())
