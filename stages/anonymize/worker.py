"""One part of a messages table, anonymised: what a process of the stage does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from pathlib import Path

import polars as pl

from stages.anonymize.engine import count, detect, prepare, replace
from stages.anonymize.lexicon import WordUsage, packaged
from stages.anonymize.participants import read_participants
from stages.anonymize.pseudonyms import pseudonym
from stages.anonymize.slots import Slots
from stages.anonymize.surrogates import Surrogates
from stages.common.errors import DataError
from stages.common.messages import FEEDBACK, MESSAGES
from stages.common.sources import OPAQUE_IDS


@dataclass(slots=True)
class Counts:
    """What was done to a table. Adds up over its parts."""

    messages: int = 0
    #: Messages that the name recogniser saw.
    recognized: int = 0
    #: Spans replaced, by type.
    replaced: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: Counts) -> Counts:
        self.messages += other.messages
        self.recognized += other.recognized
        self.replaced.update(other.replaced)
        return self

    def per_1000(self, kind: str) -> float:
        """Spans of one type per 1,000 messages."""
        return round(1000 * self.replaced[kind] / max(self.messages, 1), 4)


@dataclass(frozen=True, slots=True)
class Work:
    """How to anonymise parts.

    Attributes:
        key: the secret behind pseudonyms and surrogates.
        common: words that the corpus usually writes small.
        batch_size: messages that the recogniser takes at a time.
        participants: participants.parquet of the ingest stage.
        erased: what erased people are called.
    """

    key: bytes
    common: frozenset[str]
    batch_size: int
    participants: Path
    erased: Sequence[str]

    def __call__(self, part: Path, out: Path, surrogates: Path | None = None) -> Counts:
        """Anonymise one part.

        Args:
            part: a part of a messages table.
            out: where to write it with slots, and pseudonyms in place of senders and of ids that are not opaque.
            surrogates: where to write it with surrogates in place of slots; nowhere if None.

        Returns:
            Counts.
        """
        table = pl.read_parquet(part, columns=MESSAGES.names())
        conversations = _rows_by_conversation(table)
        texts = table["text"].to_list()
        said = [[texts[row] for row in rows] for rows in conversations.values()]
        lexicon = packaged().with_common(self.common)
        prepared = prepare(said, lexicon)
        known = read_participants(self.participants, conversations, self.erased)
        searches = (known.mentions(conversation, lexicon) for conversation in conversations)
        spans = list(detect(prepared, lexicon, self.batch_size, searches))
        named = _with_pseudonyms(table, self.key)
        _with_texts(named, conversations, map(replace, said, spans, repeat(Slots))).write_parquet(out)
        if surrogates:
            invented = [partial(Surrogates, self.key, conversation) for conversation in conversations]
            _with_texts(named, conversations, map(replace, said, spans, invented)).write_parquet(surrogates)
        return Counts(len(texts), prepared.gated.total(), sum(map(count, spans), Counter()))


def _rows_by_conversation(table: pl.DataFrame) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row, conversation_id in enumerate(table["conversation_id"]):
        found.setdefault(conversation_id, []).append(row)
    return found


def _with_texts(
    table: pl.DataFrame, conversations: Mapping[str, list[int]], texts: Iterable[Sequence[str]]
) -> pl.DataFrame:
    column = [""] * table.height
    for rows, said in zip(conversations.values(), texts, strict=True):
        for row, text in zip(rows, said, strict=True):
            column[row] = text
    return table.with_columns(text=pl.Series(column, dtype=pl.String()))


def named_feedback(path: Path, key: bytes) -> pl.DataFrame:
    """Name raters, and conversations of apps, as the messages do.

    Args:
        path: feedback.parquet of the ingest stage.
        key: the secret behind pseudonyms.

    Returns:
        The same rows.

    Raises:
        DataError: if the file is not readable.
    """
    try:
        table = pl.read_parquet(path, columns=FEEDBACK.names())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: expected a table of feedback, got {type(error).__name__}") from None
    return table.with_columns(_pseudonyms(table, key, "rater"), _conversations(table, key))


def _with_pseudonyms(table: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """Name senders by pseudonyms (one person in two sources has two), and ids that apps make of people."""
    personal = ~pl.col("source").is_in(OPAQUE_IDS)
    return table.with_columns(
        _pseudonyms(table, key, "sender"),
        _conversations(table, key),
        *(
            pl.when(personal).then(_pseudonyms(table, key, column)).otherwise(column).alias(column)
            for column in ("message_id", "reply_to")
        ),
    )


def _conversations(table: pl.DataFrame, key: bytes) -> pl.Expr:
    return (
        pl.when(~pl.col("source").is_in(OPAQUE_IDS))
        .then(pl.format("{}/{}", "source", _pseudonyms(table, key, "conversation_id")))
        .otherwise("conversation_id")
        .alias("conversation_id")
    )


def _pseudonyms(table: pl.DataFrame, key: bytes, column: str) -> pl.Series:
    values = table.select("source", column)
    known = {row: pseudonym(key, *row) for row in values.drop_nulls().unique().iter_rows()}
    return pl.Series(column, [known.get(row) for row in values.iter_rows()], dtype=pl.String())


def usage_of(part: Path) -> WordUsage:
    """Count how one part of a messages table writes words."""
    table = pl.read_parquet(part, columns=["conversation_id", "text"])
    texts = table["text"].to_list()
    return WordUsage.of([texts[row] for row in rows] for rows in _rows_by_conversation(table).values())
