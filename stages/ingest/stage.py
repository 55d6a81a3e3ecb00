"""Ingest: logs -> readers -> messages in parts; unreadable rows to quarantine, anything else dropped is counted."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, get_args

from pydantic import Field, StringConstraints, field_validator

from stages.common import canaries
from stages.common.canaries import Canary
from stages.common.errors import DataError
from stages.common.messages import Item, Reader
from stages.common.output import atomic_directory, write_json
from stages.common.params import StageParams
from stages.common.sources import FOLDERS, ReaderName
from stages.ingest.counts import Tally
from stages.ingest.erasure import Listed, by_source, erased_table, read_erased, unmatched
from stages.ingest.fates import files_table, told, unread, without_names
from stages.ingest.files import list_files
from stages.ingest.readers import READERS, whatsapp
from stages.ingest.report import card, problems, say
from stages.ingest.two_passes import ingest_sources

LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


class Params(StageParams):
    """Section `ingest` of params.yaml."""

    readers: list[ReaderName] = Field(min_length=1)
    """What to read, in this order; each at most once. A source without logs is absent, not an error."""
    languages: list[LanguageCode] = Field(min_length=1)
    """ISO 639 codes of the languages that stay. Conversations in others are dropped and counted; those too short
    to tell stay."""
    parts: int = Field(ge=1, le=512)
    """Files of the messages table: a stage holds one part at a time. Each is an open file while logs are read."""
    max_rejected_share: float = Field(ge=0, le=1)
    """Share of a source's rows, of its files, and of the rows of a file of 20 or more, that may be rejected before
    the stage fails: more is a wrong format, not bad luck. So a small broken one cannot hide behind a large one."""
    whatsapp_dates: whatsapp.Dates | dict[str, whatsapp.Dates] = "auto"
    """What comes first in the dates of WhatsApp's exports: the phone decides, and files do not say. `auto` judges
    each file, see docs/exports.md. Or that by patterns of paths below `whatsapp/`: `{"uk/*.txt": day_first}`; the
    first that matches a file holds, and `auto` for files that none matches."""
    canaries: list[Canary] = Field(default_factory=list)
    """Invented secrets, planted as one conversation, that a later check looks for in every artifact."""

    @field_validator("readers")
    @classmethod
    def _unique(cls, readers: list[ReaderName]) -> list[ReaderName]:
        if len(set(readers)) < len(readers):
            raise ValueError("each reader may be named only once")
        return readers


def open_sources(params: Params, logs: Path) -> dict[str, Iterator[Item]]:
    """Open every source, the canaries last.

    Args:
        params: section `ingest`.
        logs: folder of raw logs.

    Returns:
        Items by source, not yet read.

    Raises:
        DataError: naming all sources that cannot be read at all, or if there is a folder that no reader knows.
    """
    sources: dict[str, Iterator[Item]] = {}
    problems = []
    for name in params.readers:
        try:
            sources[name] = _reader(name, params)(logs)
        except DataError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{logs}: {name}: expected files that can be looked at, got {type(error).__name__}")
    if unknown := [
        path for path in logs.glob("[!.]*") if path.is_dir() and not path.is_symlink() and path.name not in FOLDERS
    ]:
        # Not named: people name folders after people.
        problems.append(
            f"{logs}: expected only folders named {', '.join(FOLDERS)}, got {len(unknown)} others; "
            "next: move each export into the folder of its app"
        )
    if problems:
        raise DataError("\n".join(problems))
    if params.canaries:
        sources[canaries.SOURCE] = canaries.plant(params.canaries)
    return sources


def _reader(name: ReaderName, params: Params) -> Reader:
    return partial(whatsapp.read, dates=params.whatsapp_dates) if name == "whatsapp" else READERS[name]


def _called(listed: Iterable[Listed], tallies: Mapping[str, Tally]) -> dict[str, set[str]]:
    names = {source: set(senders) for source, senders in by_source(listed).items()}
    return {source: names.get(source, set()) | tally.aliases for source, tally in tallies.items()}


def run(params: Params, *, logs: Path = Path("data/logs"), erase: Path = Path("data/erase"), out: Path) -> None:
    """Read all sources.

    Args:
        params: section `ingest`.
        logs: folder of raw logs.
        erase: folder of lists of senders to leave out.
        out: directory to fill with messages/, participants.parquet, feedback.parquet, quarantine.parquet,
            dropped.parquet, files.parquet, erased.parquet, canaries.json and card.json.

    Raises:
        DataError: if a list or a source cannot be read, a file changes while it is read, a source or file has too
            many rejected rows, a source too many rejected files, or there is no message at all. The rejected rows
            and the table of files are then beside `out`, in `<out>.rejected.parquet` and `<out>.files.parquet`.
    """
    listed = read_erased(erase, get_args(ReaderName))
    sources = open_sources(params, logs)
    files = list_files(logs, FOLDERS, params.readers)
    rescued, rescued_files = (out.with_name(f"{out.name}.{name}.parquet") for name in ("rejected", "files"))
    with atomic_directory(out) as directory:
        tallies = ingest_sources(sources, params.parts, params.languages, by_source(listed), directory)
        fates = files_table(files, tallies)
        without_names(fates, _called(listed, tallies)).write_parquet(directory / "files.parquet")
        found = problems(tallies, params.max_rejected_share)
        say(tallies, told(fates), rescued_files if found else out / "files.parquet")
        if found:
            # Beside `out`, which is replaced as a whole or not at all: what was rejected must outlive the failure.
            (directory / "quarantine.parquet").replace(rescued)
            (directory / "files.parquet").replace(rescued_files)
            advice = f"next: look at the rejected rows in {rescued}; correct the logs, or raise max_rejected_share"
            raise DataError("\n".join(["the logs cannot be used", *found, advice]))
        absent = unmatched(listed, {name: tally.erased for name, tally in tallies.items()})
        counts = [(name, *count) for name, tally in tallies.items() for count in tally.erased.items()]
        counts += [(line.source, line.sender, 0) for line in absent]
        erased_table(counts).write_parquet(directory / "erased.parquet")
        write_json(directory / "canaries.json", [canary.model_dump() for canary in params.canaries])
        counted = card(tallies, erased_unmatched=len(absent), files_unread=unread(fates))
        write_json(directory / "card.json", counted)
    for path in (rescued, rescued_files):
        path.unlink(missing_ok=True)
    for line in absent:
        sys.stderr.write(f"{erase}: {line.place}: nobody of that spelling in the logs\n")
