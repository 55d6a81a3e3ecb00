"""Counts: what became of every row of every file, so that rows in = rows out + rows dropped by reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Literal, get_args

import polars as pl

from stages.ingest.chunks import Chunk
from stages.ingest.erasure import spelling

#: Rejected rows that an error message names.
EXAMPLES = 10

#: Rows of a file whose share of rejected rows is judged, and the standard errors that are taken for chance.
FILE_FLOOR, SIGMAS = 20, 3.0

Fate = Literal["out", "feedback", "automated", "other_language", "duplicate", "rejected", "erased"]
FATES: tuple[Fate, ...] = get_args(Fate)


@dataclass(slots=True)
class Tally:
    """Counts of one source."""

    #: Senders to leave out, by the key that all their spellings share, and by what else an export calls them.
    to_erase: frozenset[str] = frozenset()
    aliases: set[str] = field(default_factory=set)
    conversations: int = 0
    #: Conversations kept without knowing their language.
    undetermined: int = 0
    #: Rows by reason, by kind, by language, and by sender as the logs spell it.
    rejected: Counter[str] = field(default_factory=Counter)
    automated: Counter[str] = field(default_factory=Counter)
    other_language: Counter[str] = field(default_factory=Counter)
    erased: Counter[str] = field(default_factory=Counter)
    #: Conversations in which somebody was erased.
    erased_from: set[str] = field(default_factory=set)
    #: Conversations by what was done to put them in order.
    reordered: Counter[str] = field(default_factory=Counter)
    #: Rows that the reader saw, by file, and what became of them: counted apart, so that one can check the other.
    rows: Counter[str] = field(default_factory=Counter)
    fates: dict[Fate, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: Files that held a readable row.
    readable_files: set[str] = field(default_factory=set)
    #: Why the first rejected row of each file was rejected.
    first_reasons: dict[str, str] = field(default_factory=dict)
    #: File, line and reason of the first rejected rows.
    examples: list[tuple[str, int, str]] = field(default_factory=list)

    @property
    def rows_read(self) -> int:
        """Rows that the reader saw, of any fate."""
        return self.rows.total()

    def total(self, fate: Fate) -> int:
        """Rows of one fate."""
        return self.fates[fate].total()

    @property
    def rejected_share(self) -> float:
        """Rejected rows / rows read; 0 without any row."""
        return self.total("rejected") / max(self.rows_read, 1)

    @property
    def files_rejected(self) -> int:
        """Files without a single readable row."""
        return len(self.rows.keys() - self.readable_files)

    @property
    def files_rejected_share(self) -> float:
        """Rejected files / files read; 0 without any file."""
        return self.files_rejected / max(len(self.rows), 1)

    def broken_files(self, max_share: float) -> list[str]:
        """Name the files of `FILE_FLOOR` rows or more that reject more than this share of them, and than chance."""
        spread = SIGMAS * sqrt(max_share * (1 - max_share))
        most = {n: max_share * n + spread * sqrt(n) for n in self.rows.values() if n >= FILE_FLOOR}
        return sorted(file for file, n in self.rows.items() if n in most and self.fates["rejected"][file] > most[n])

    def read(self, chunk: Chunk) -> None:
        """Count what a reader found."""
        readable = [item.file for items in (chunk.messages, chunk.automated, chunk.feedback) for item in items]
        self.rows.update([*readable, *(item.file for item in chunk.rejected)])
        self.readable_files.update(readable)
        self.automated.update(item.kind for item in chunk.automated)
        self.count("automated", (item.file for item in chunk.automated))
        erased = [p for p in chunk.participants if p.sender is not None and spelling(p.sender) in self.to_erase]
        self.aliases.update(participant.name for participant in erased if participant.name.strip())

    def count(self, fate: Fate, files: Iterable[str]) -> None:
        """Count rows of one fate, given by the file of each."""
        self.fates[fate].update(files)

    def reject(self, quarantine: pl.DataFrame) -> None:
        """Count rejected rows, given as a table."""
        self.count("rejected", quarantine["file"])
        self.rejected.update(quarantine["reason"].to_list())
        for file, reason in quarantine.unique("file", keep="first").select("file", "reason").iter_rows():
            self.first_reasons.setdefault(file, reason)
        head = quarantine.head(EXAMPLES - len(self.examples)).select("file", "line", "reason")
        self.examples += head.iter_rows()

    def summary(self) -> dict[str, Any]:
        """Counts for the card; every row read is in exactly one of them."""
        return {
            "rows_read": self.rows_read,
            "rows_out": self.total("out"),
            "feedback": self.total("feedback"),
            "rejected": _by_count(self.rejected),
            "automated": _by_count(self.automated),
            "other_language": _by_count(self.other_language),
            "duplicate": self.total("duplicate"),
            "erased": self.total("erased"),
            "rejected_share": round(self.rejected_share, 6),
            "conversations": self.conversations,
            "conversations_of_unknown_language": self.undetermined,
            "conversations_reordered": _by_count(self.reordered),
            "senders_to_erase": len(self.to_erase),
            "senders_erased": len(set(map(spelling, self.erased))),
            "files": len(self.rows),
            "files_rejected": self.files_rejected,
        }

    def line(self, source: str) -> str:
        """Say in one line what became of a source's rows."""
        if not self.rows:
            return f"{source}: no files"
        dropped = [f"{self.total(fate):,} {fate.replace('_', ' ')}" for fate in FATES[1:] if self.total(fate)]
        counts = ", ".join([f"{self.rows_read:,} rows in", f"{self.total('out'):,} out", *dropped])
        return f"{source}: {counts}; {len(self.rows):,} file{'s' * (len(self.rows) > 1)}"


def _by_count(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
