"""What another version of the anonymiser changed: rows of the packaged data by source, and spans by rule.

Needs outputs of the stages ingest and anonymize, made of the same logs by the two versions, e.g. in two checkouts.
Rows are matched by their ids, so only sources with opaque ids are compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import polars as pl

from benchmarks.report import examples, heading, out_option, publish, table
from stages.common.messages import part_paths

MODULE = "benchmarks.anonymization.changes"
_SLOT = re.compile(r"<([A-Z_]+)_\d+>")
_IDS = ("source", "conversation_id", "message_id")
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(
    help=__doc__, epilog=examples(MODULE, "--before ../before/build --after build --out docs/measured/changes.md")
)
@click.option("--before", type=_FOLDER, required=True, help="`build` of the version before.")
@click.option("--after", type=_FOLDER, required=True, help="`build` of this version.")
@out_option
def main(before: Path, after: Path, out: Path | None) -> None:
    """Entry point."""
    rows = compare(before, after)
    publish(
        heading("What changed in anonymised texts", MODULE, ["polars", "spacy"])
        + "\n"
        + _sources(rows)
        + "\n"
        + _rules(after, rows.filter(pl.col("before") != pl.col("after"))),
        out,
    )


def compare(before: Path, after: Path) -> pl.DataFrame:
    """Put the texts of both side by side: `_IDS`, `before`, `after`; rows that only one has are left out."""
    # Not by `read_messages`: the version before may have other columns.
    texts = [
        pl.read_parquet(build / "anonymize/messages/*.parquet", columns=[*_IDS, "text"]).rename({"text": name})
        for build, name in ((before, "before"), (after, "after"))
    ]
    return texts[0].join(texts[1], on=_IDS)


def _sources(rows: pl.DataFrame) -> str:
    counted = rows.group_by("source").agg(
        rows=pl.len(), changed=(pl.col("before") != pl.col("after")).sum(), **_slots("before"), **_slots("after")
    )
    head = ["source", "rows", "rows changed", "slots before", "slots after"]
    found = [[str(value) if name == "source" else f"{value:,}" for name, value in row.items()] for row in
             counted.sort("source").to_dicts()]  # fmt: skip
    return table(head, found)


def _slots(column: str) -> dict[str, pl.Expr]:
    return {f"slots_{column}": pl.col(column).str.count_matches(_SLOT.pattern).sum()}


def _rules(build: Path, changed: pl.DataFrame) -> str:
    """Count spans that are masked now and were readable before, by rule, and slots that are gone, by type."""
    new: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    texts = {tuple(row[:3]): row[3] for row in changed.select(*_IDS, "before").iter_rows()}
    for ids, found in spans_of(build, {ids[1] for ids in texts}):
        if ids in texts:
            new.update(rule for surface, rule in found if surface in texts[ids])
    for before, after in changed.select("before", "after").iter_rows():
        gone.update(Counter(_SLOT.findall(before)) - Counter(_SLOT.findall(after)))
    rows = [[f"masked now, by `{rule}`", f"{count:,}"] for rule, count in new.most_common()]
    rows += [[f"`{kind}` fewer in its row", f"{count:,}"] for kind, count in gone.most_common()]
    return table(["spans", "count"], rows)


def spans_of(build: Path, conversations: set[str]) -> Iterator[tuple[tuple[str, ...], list[tuple[str, str]]]]:
    """Find the spans of some conversations again, with the rules that found them.

    Args:
        build: holds the raw messages.
        conversations: their ids.

    Yields:
        Ids of a row, and what was found in it: surface and rule.
    """
    from stages.anonymize.engine import detect, prepare
    from stages.anonymize.lexicon import WordUsage, packaged
    from stages.anonymize.participants import erased_names, read_participants
    from stages.anonymize.worker import usage_of

    parts, usage = part_paths(build / "ingest/messages"), WordUsage.of([])
    for part in parts:
        usage += usage_of(part)
    lexicon = packaged().with_common(usage.common())
    raw = pl.concat(pl.read_parquet(part) for part in parts).filter(pl.col("conversation_id").is_in(conversations))
    groups: Mapping[tuple[object, ...], pl.DataFrame] = raw.partition_by(
        "conversation_id", as_dict=True, maintain_order=True
    )
    ids = [str(key[0]) for key in groups]
    people, erased = build / "ingest/participants.parquet", build / "ingest/erased.parquet"
    known = read_participants(people, ids, erased_names(people, erased))
    prepared = prepare((group["text"].to_list() for group in groups.values()), lexicon)
    searches = (known.mentions(each, lexicon) for each in ids)
    for group, found in zip(groups.values(), detect(prepared, lexicon, 256, searches), strict=True):
        for row, spans in zip(group.iter_rows(named=True), found, strict=True):
            surfaces = [(row["text"][span.start : span.end], span.rule) for span in spans]
            yield tuple(row[name] for name in _IDS), surfaces


if __name__ == "__main__":
    main(prog_name=f"python -m {MODULE}")
