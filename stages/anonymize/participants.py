"""Who takes part in a conversation, as the export tells: what they are called is looked for in what is said."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from stages.anonymize.lexicon import Lexicon
from stages.anonymize.mentions import Mentions, Where, keys
from stages.anonymize.plain_text import plain
from stages.common.errors import DataError
from stages.common.messages import ERASED, PARTICIPANTS
from stages.common.sources import OPAQUE_IDS

#: Names of a conversation above which a word among them ("Blue") is one only where something says so: of so many,
#: many are words.
MANY = 100

#: Words of a name above which each of them says little: "The Real King of Memes".
_LONG = 2

#: Letters in a row that a random id may hold: no part of "9bad3f" is a name.
_CHANCE = 3

_ADDRESS = re.compile(r"[@/]|://")
_ACCOUNT = re.compile(r"\S*[\d_.]\S*")


@dataclass(frozen=True, slots=True)
class Participants:
    """Names of people.

    Attributes:
        by_conversation: what the people in each conversation are called.
        erased: what erased people are called; they may be spoken of anywhere.
    """

    by_conversation: Mapping[str, Collection[str]]
    erased: Collection[str] = ()

    def mentions(self, conversation_id: str, lexicon: Lexicon) -> Mentions:
        """Prepare the search for the names of one conversation."""
        found, names = Mentions(), self.by_conversation.get(conversation_id, ())
        for name in self.erased:
            _add(found, name, lexicon, words=Where.CUED, others=Where.CUED)
        is_opaque = conversation_id.partition("/")[0] in OPAQUE_IDS
        words = Where.LIKELY if len(names) <= MANY else Where.CUED
        for name in names:
            _add(found, name, lexicon, words=None if is_opaque else words, others=Where.ANYWHERE)
        return found


def _add(mentions: Mentions, name: str, lexicon: Lexicon, *, words: Where | None, others: Where) -> None:
    """Add a name, whole and by part.

    Args:
        mentions: what to add it to.
        name: as the export has it.
        lexicon: tells words.
        words: where a part that is a word is a name; None for nowhere, as opaque ids may be words.
        others: where any other part is one.
    """
    bare = plain(name).text.strip("~ ")
    whole = [] if _ADDRESS.search(bare) else keys(bare)
    parts = [part for part in whole if part not in lexicon.function_words]
    is_account = bool(_ACCOUNT.fullmatch(bare))
    unknown = [part for part in parts if not lexicon.is_word(part) and part not in lexicon.kin_words]
    unknown = [part for part in unknown if not is_account or len(part) > _CHANCE]
    for part in unknown:
        mentions.add([part], others)
    if is_account or _ADDRESS.search(bare):
        mentions.accounts.add(bare.lower().lstrip("@"))
        return
    for piece in (whole, *map(keys, bare.split())):  # "Ji-woo Kim", "Ji-woo"
        if len(piece) > 1 and set(piece).intersection(unknown):
            mentions.add(piece, Where.ANYWHERE)
    if words is None:
        return
    if len(whole) > 1 and parts:
        mentions.add(whole, words)
    for part in set(parts).difference(unknown):
        mentions.add([part], _where(part, len(bare.split()), words, lexicon))


def _where(part: str, pieces: int, words: Where, lexicon: Lexicon) -> Where:
    """Where a part that is a word is a name: the less it tells, the more must stand beside it."""
    if part in lexicon.kin_words:
        return Where.CAPITAL
    return Where.CUED if pieces > _LONG else words


def erased_names(path: Path, erased: Path) -> list[str]:
    """Read what erased people are called: as the logs spell them, and as exports call their ids.

    Args:
        path: participants.parquet of the ingest stage.
        erased: erased.parquet of the ingest stage.

    Returns:
        Their names.

    Raises:
        DataError: if one of the two is not readable.
    """
    gone = _read(erased, ERASED).select("source", "sender")
    theirs = _read(path, PARTICIPANTS).join(gone, on=["source", "sender"], how="semi")
    return sorted({*gone.collect()["sender"], *theirs.collect()["name"]})


def read_participants(path: Path, conversations: Iterable[str], erased: Collection[str] = ()) -> Participants:
    """Read who takes part in some conversations.

    Args:
        path: participants.parquet of the ingest stage.
        conversations: their ids.
        erased: what erased people are called.

    Returns:
        Their names.

    Raises:
        DataError: if the table is not readable.
    """
    wanted = _read(path, PARTICIPANTS).filter(pl.col("conversation_id").is_in(list(conversations)))
    found: dict[str, set[str]] = defaultdict(set)
    for conversation_id, name in wanted.select("conversation_id", "name").collect().iter_rows():
        found[conversation_id].add(name)
    return Participants(found, erased)


def _read(path: Path, schema: pl.Schema) -> pl.LazyFrame:
    try:
        table = pl.scan_parquet(path).select(schema.names())
        table.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: expected a table of participants, got {type(error).__name__}") from None
    return table
