"""The two passes over all sources. Memory holds one chunk of items or one part, whichever is larger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from rejoinder.progress import progress, track
from stages.common.messages import FEEDBACK, MESSAGES, PARTICIPANTS, QUARANTINE, Item, part_of, part_path
from stages.ingest.chunks import (
    PLACED,
    PLACED_FEEDBACK,
    Chunk,
    appended,
    automated_table,
    chunks,
    feedback_table,
    message_table,
    participant_table,
    rejected_table,
    sender_table,
)
from stages.ingest.counts import Fate, Tally
from stages.ingest.erasure import Senders, spelling
from stages.ingest.review import Write, review_table
from stages.ingest.selection import Selected, select_messages


@dataclass(frozen=True, slots=True)
class Tables:
    """Where rows go that are no messages."""

    #: Rejected rows.
    quarantine: Write
    #: Automated rows, rows in other languages, duplicates.
    dropped: Write
    participants: Write
    #: Ratings of conversations, as they came.
    feedback: Write


def ingest_sources(
    sources: Mapping[str, Iterable[Item]], parts: int, languages: Collection[str], erased: Senders, directory: Path
) -> dict[str, Tally]:
    """Bring items into parts of whole conversations, first as they come, then part by part.

    Args:
        sources: items by source.
        parts: how many files to make.
        languages: ISO 639 codes of those that stay.
        erased: senders to leave out, by source, in any spelling.
        directory: where to write messages/, participants.parquet, feedback.parquet, quarantine.parquet and
            dropped.parquet.

    Returns:
        Counts by source.
    """
    tallies = {name: Tally(frozenset(map(spelling, erased.get(name, ())))) for name in sources}
    aliases = {name: tally.aliases for name, tally in tallies.items()}
    with (
        TemporaryDirectory(dir=directory, prefix=".spool-") as spool,
        review_table(directory / "quarantine.parquet", erased, aliases) as quarantine,
        review_table(directory / "dropped.parquet", erased, aliases) as dropped,
        appended(directory / "participants.parquet", PARTICIPANTS) as participants,
    ):
        paths = [part_path(Path(spool), number, parts) for number in range(parts)]
        given = Path(spool) / "feedback.parquet"
        with appended(given, PLACED_FEEDBACK) as feedback:
            tables = Tables(quarantine, dropped, participants, feedback)
            _spool(sources, paths, tallies, tables)
        _settle_feedback(pl.read_parquet(given), tallies).write_parquet(directory / "feedback.parquet")
        (directory / "messages").mkdir()
        for path in track(paths, "ingest: settling", "part"):
            settled = select_messages(pl.read_parquet(path), languages)
            path.unlink()
            _settle(settled, tallies, tables)
            settled.messages.select(MESSAGES.names()).write_parquet(directory / "messages" / path.name)
    return tallies


def _spool(
    sources: Mapping[str, Iterable[Item]], paths: Sequence[Path], tallies: Mapping[str, Tally], tables: Tables
) -> None:
    with ExitStack() as files:
        append = [files.enter_context(appended(path, PLACED)) for path in paths]
        for name, items in sources.items():
            order = 0
            with progress(f"ingest: reading {name}", "row") as advance:
                for chunk in chunks(items):
                    _set_aside(name, chunk, tallies[name], tables)
                    table = message_table(name, chunk.messages, order)
                    order += table.height
                    tables.participants(sender_table(table))
                    for number, rows in _split(_drop_erased(table, tallies[name]), len(paths)):
                        append[number](rows)
                    advance(chunk.items)


def _set_aside(source: str, chunk: Chunk, tally: Tally, tables: Tables) -> None:
    rejected = rejected_table(source, chunk.rejected)
    tally.read(chunk)
    tally.reject(rejected)
    tables.quarantine(rejected)
    tables.dropped(automated_table(source, chunk.automated))
    tables.participants(participant_table(source, chunk.participants))
    tables.feedback(feedback_table(source, chunk.feedback))


def _drop_erased(table: pl.DataFrame, tally: Tally) -> pl.DataFrame:
    if not tally.to_erase:
        return table
    gone = table["sender"].is_in([name for name in table["sender"].unique() if spelling(name) in tally.to_erase])
    tally.erased.update(table.filter(gone)["sender"].to_list())
    tally.erased_from.update(table.filter(gone)["conversation_id"].unique())
    tally.count("erased", table.filter(gone)["file"])
    return table.filter(~gone)


def _split(table: pl.DataFrame, parts: int) -> Iterator[tuple[int, pl.DataFrame]]:
    ids = table["conversation_id"].unique()
    numbers = pl.Series([part_of(name, parts) for name in ids], dtype=pl.Int64())
    number = pl.col("conversation_id").replace_strict(ids, numbers, return_dtype=pl.Int64())
    numbered = table.with_columns(_part=number).partition_by("_part", as_dict=True, include_key=False)
    yield from ((number, rows) for (number,), rows in numbered.items())


def _settle_feedback(given: pl.DataFrame, tallies: Mapping[str, Tally]) -> pl.DataFrame:
    """Leave out what erased people rated, or may have rated, and what the same rater said before."""
    kept = []
    for name, tally in tallies.items():
        mine = given.filter(pl.col("source") == name)
        raters = [rater for rater in mine["rater"].drop_nulls().unique() if spelling(rater) in tally.to_erase]
        theirs = pl.col("rater").is_in(raters) | (
            pl.col("rater").is_null() & pl.col("conversation_id").is_in(sorted(tally.erased_from))
        )
        again = pl.col("rater").is_not_null() & ~pl.struct("conversation_id", "rater", "scale").is_first_distinct()
        fate = pl.when(theirs.fill_null(value=False)).then(pl.lit("erased")).when(again).then(pl.lit("duplicate"))
        judged = mine.with_columns(fate=fate.otherwise(pl.lit("feedback")))
        kept.append(judged.filter(pl.col("fate") == "feedback").select(FEEDBACK.names()))
        # A row of several scales has one fate: feedback if any of it stays.
        rows = judged.sort(pl.col("fate") != "feedback").unique(["file", "line"], keep="first")
        for fates, files in rows.partition_by("fate", as_dict=True).items():
            tally.count(fates[0], files["file"])
    return pl.concat([FEEDBACK.to_frame(), *kept])


def _settle(settled: Selected, tallies: Mapping[str, Tally], tables: Tables) -> None:
    tables.quarantine(settled.quarantine)
    tables.dropped(settled.duplicates)
    tables.dropped(settled.foreign.select(QUARANTINE.names()))
    fates: dict[Fate, pl.DataFrame] = {
        "out": settled.messages,
        "duplicate": settled.duplicates,
        "other_language": settled.foreign,
    }
    for source, tally in tallies.items():
        mine = pl.col("source") == source
        for fate, rows in fates.items():
            tally.count(fate, rows.filter(mine)["file"])
        tally.reject(settled.quarantine.filter(mine))
        tally.other_language.update(settled.foreign.filter(mine)["language"].to_list())
        languages = settled.conversations.filter(mine)["language"]
        tally.conversations += len(languages)
        tally.undetermined += languages.null_count()
        tally.reordered.update(settled.reordered.filter(mine)["rule"].to_list())
