"""Counts: what became of every row of a source, so that rows in = rows out + rows dropped by reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from stages.ingest.chunks import Chunk
from stages.ingest.erasure import spelling

#: Rejected rows that an error message names.
EXAMPLES = 10


@dataclass(slots=True)
class Tally:
    """Counts of one source."""

    #: Senders to leave out, by the key that all their spellings share.
    to_erase: frozenset[str] = frozenset()
    #: Rows that the reader saw, of any fate.
    rows_read: int = 0
    rows_out: int = 0
    conversations: int = 0
    #: Conversations kept without knowing their language.
    undetermined: int = 0
    #: Rows by reason, by kind, by language, and by sender as the logs spell it.
    rejected: Counter[str] = field(default_factory=Counter)
    automated: Counter[str] = field(default_factory=Counter)
    other_language: Counter[str] = field(default_factory=Counter)
    erased: Counter[str] = field(default_factory=Counter)
    #: Conversations by what was done to put them in order.
    reordered: Counter[str] = field(default_factory=Counter)
    #: Names of files, and of those that held a readable row.
    files: set[str] = field(default_factory=set)
    readable_files: set[str] = field(default_factory=set)
    #: File, line and reason of the first rejected rows.
    examples: list[tuple[str, int, str]] = field(default_factory=list)

    @property
    def rejected_share(self) -> float:
        """Rejected rows / rows read; 0 without any row."""
        return self.rejected.total() / max(self.rows_read, 1)

    @property
    def files_rejected(self) -> int:
        """Files without a single readable row."""
        return len(self.files - self.readable_files)

    @property
    def files_rejected_share(self) -> float:
        """Rejected files / files read; 0 without any file."""
        return self.files_rejected / max(len(self.files), 1)

    def read(self, chunk: Chunk) -> None:
        """Count what a reader found."""
        self.rows_read += chunk.items
        self.automated.update(item.kind for item in chunk.automated)
        self.readable_files.update(item.file for items in (chunk.messages, chunk.automated) for item in items)
        self.files.update(self.readable_files, (item.file for item in chunk.rejected))

    def reject(self, quarantine: pl.DataFrame) -> None:
        """Count rejected rows, given as a table."""
        self.rejected.update(quarantine["reason"].to_list())
        head = quarantine.head(EXAMPLES - len(self.examples)).select("file", "line", "reason")
        self.examples += head.iter_rows()

    def summary(self) -> dict[str, Any]:
        """Counts for the card; every row read is in exactly one of them."""
        return {
            "rows_read": self.rows_read,
            "rows_out": self.rows_out,
            "rejected": _by_count(self.rejected),
            "automated": _by_count(self.automated),
            "other_language": _by_count(self.other_language),
            "erased": self.erased.total(),
            "rejected_share": round(self.rejected_share, 6),
            "conversations": self.conversations,
            "conversations_of_unknown_language": self.undetermined,
            "conversations_reordered": _by_count(self.reordered),
            "senders_to_erase": len(self.to_erase),
            "senders_erased": len(set(map(spelling, self.erased))),
            "files": len(self.files),
            "files_rejected": self.files_rejected,
        }


def _by_count(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
