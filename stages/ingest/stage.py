"""Ingest: logs -> readers -> messages in parts; unreadable rows to quarantine, anything else dropped is counted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, StringConstraints, field_validator

from stages.common import canaries
from stages.common.canaries import Canary
from stages.common.errors import DataError
from stages.common.messages import Item, Reader
from stages.common.output import atomic_directory, write_json
from stages.common.params import StageParams
from stages.common.sources import OPAQUE_IDS, ReaderName
from stages.ingest.counts import Tally
from stages.ingest.erasure import by_source, erased_table, read_erased, unmatched
from stages.ingest.readers import READERS, native, whatsapp
from stages.ingest.two_passes import ingest_sources

#: Readers of exports, each in a folder of its name.
EXPORTS = tuple(name for name in get_args(ReaderName) if name not in OPAQUE_IDS)

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
    """Share of a source's rows, and of its files, that may be rejected before the stage fails: more is a wrong
    format, not bad luck. Judged for each source, so that a small broken one cannot hide behind a large one."""
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
    if unknown := [path for path in logs.glob("[!.]*") if path.is_dir() and path.name not in EXPORTS]:
        # Not named: people name folders after people.
        problems.append(
            f"{logs}: expected only folders named {', '.join(EXPORTS)}, got {len(unknown)} others; "
            "next: move each export into the folder of its app"
        )
    if problems:
        raise DataError("\n".join(problems))
    if params.canaries:
        sources[canaries.SOURCE] = canaries.plant(params.canaries)
    return sources


def _reader(name: ReaderName, params: Params) -> Reader:
    return partial(whatsapp.read, dates=params.whatsapp_dates) if name == "whatsapp" else READERS[name]


def unread_files(params: Params, logs: Path) -> int:
    """Count the files and links beside the exports that no reader takes; hidden ones and READMEs are meant so."""
    taken = native.takes if "native" in params.readers else lambda _: False
    beside = [path for path in logs.glob("[!.]*") if path.is_file() or path.is_symlink()]
    return sum(not path.name.upper().startswith("README") and not taken(path) for path in beside)


def _warn(params: Params, logs: Path, files: int) -> None:
    if files:
        advice = "next: move exports into the folders of their apps, or remove what is no log"
        sys.stderr.write(f"{logs}: files not read, since no reader takes them: {files}; {advice}\n")
    for name in EXPORTS:
        if name not in params.readers and (logs / name).is_dir():
            sys.stderr.write(f"{name}: 1 folder of logs is not read: its reader is not in ingest.readers\n")


def problems(tallies: Mapping[str, Tally], max_rejected_share: float) -> list[str]:
    """List what is wrong with the sources as a whole.

    Args:
        tallies: counts by source.
        max_rejected_share: largest allowed share of rejected rows, and of rejected files, in one source.

    Returns:
        One line a problem, never with a message's text or a person's name; empty if all is well.
    """
    found = []
    for name, tally in tallies.items():
        shares = {
            "rows": (tally.rejected_share, tally.rejected.total(), tally.rows_read),
            "files": (tally.files_rejected_share, tally.files_rejected, len(tally.files)),
        }
        over = {what: counts for what, counts in shares.items() if counts[0] > max_rejected_share}
        reasons = json.dumps(dict(tally.rejected.most_common()))
        found += [
            f"{name}: expected at most {max_rejected_share:.2%} rejected {what}, got {share:.2%} ({bad} of {read})"
            f": {reasons}"
            for what, (share, bad, read) in over.items()
        ]
        if over:
            found += [f"  {_shown(name, file)}:{line}: {reason}" for file, line, reason in tally.examples]
    if not any(tally.rows_out for name, tally in tallies.items() if name != canaries.SOURCE):
        found.append(f"expected at least one message from {', '.join(tallies)}, got none")
    return found


def _shown(source: str, file: str) -> str:
    # Apps name files and folders after people.
    return file if source in OPAQUE_IDS else f"{source}/..."


def card(tallies: Mapping[str, Tally], *, erased_unmatched: int, files_unread: int) -> dict[str, Any]:
    """Compose the card: totals, and the same counts by source.

    Args:
        tallies: counts by source.
        erased_unmatched: lines of the lists of erased senders that name nobody.
        files_unread: files that no reader takes.

    Returns:
        Counts only.
    """
    return {
        "rows_read": sum(tally.rows_read for tally in tallies.values()),
        "rows_out": sum(tally.rows_out for tally in tallies.values()),
        "rejected": sum(tally.rejected.total() for tally in tallies.values()),
        "automated": sum(tally.automated.total() for tally in tallies.values()),
        "other_language": sum(tally.other_language.total() for tally in tallies.values()),
        "erased": sum(tally.erased.total() for tally in tallies.values()),
        "erased_unmatched": erased_unmatched,
        "files_unread": files_unread,
        "sources": {name: tally.summary() for name, tally in tallies.items()},
    }


def run(params: Params, *, logs: Path = Path("data/logs"), erase: Path = Path("data/erase"), out: Path) -> None:
    """Read all sources.

    Args:
        params: section `ingest`.
        logs: folder of raw logs.
        erase: folder of lists of senders to leave out.
        out: directory to fill with messages/, participants.parquet, quarantine.parquet, erased.parquet,
            canaries.json and card.json.

    Raises:
        DataError: if a list or a source cannot be read, a source has too many rejected rows or files, or there is
            no message at all. The rejected rows are then beside `out`, in `<out>.rejected.parquet`.
    """
    listed = read_erased(erase, get_args(ReaderName))
    sources = open_sources(params, logs)
    _warn(params, logs, files_unread := unread_files(params, logs))
    rescued = out.with_name(f"{out.name}.rejected.parquet")
    with atomic_directory(out) as directory:
        tallies = ingest_sources(sources, params.parts, params.languages, by_source(listed), directory)
        if found := problems(tallies, params.max_rejected_share):
            # Beside `out`, which is replaced as a whole or not at all: what was rejected must outlive the failure.
            (directory / "quarantine.parquet").replace(rescued)
            advice = f"next: look at the rejected rows in {rescued}; correct the logs, or raise max_rejected_share"
            raise DataError("\n".join(["the logs cannot be used", *found, advice]))
        absent = unmatched(listed, {name: tally.erased for name, tally in tallies.items()})
        counts = [(name, *count) for name, tally in tallies.items() for count in tally.erased.items()]
        counts += [(line.source, line.sender, 0) for line in absent]
        erased_table(counts).write_parquet(directory / "erased.parquet")
        write_json(directory / "canaries.json", [canary.model_dump() for canary in params.canaries])
        counted = card(tallies, erased_unmatched=len(absent), files_unread=files_unread)
        write_json(directory / "card.json", counted)
    rescued.unlink(missing_ok=True)
    for line in absent:
        sys.stderr.write(f"{erase}: {line.place}: nobody of that spelling in the logs\n")
