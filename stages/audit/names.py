"""Names of people that anonymisation has left, looked for where they were said.

The anonymiser's expressions are not imported, and these were not copied from them: a gap there must be none here.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from stages.common.errors import DataError
from stages.common.messages import ERASED, part_paths
from stages.common.sources import OPAQUE_IDS
from stages.common.words import dictionary, function_words, kin_words

#: Ways in which a name is left: whole, if it is no mere words; by part with a capital inside a sentence, behind @,
#: beside a cue, or bare, which may be a word as well ("hope").
WAYS = ("whole", "capital", "at", "cue", "bare")

_SLOT = re.compile(r"<[A-Z_]+_\d+>")
_TOKEN = re.compile(r"[^\W\d_]+")
#: A word of a name; "9bad3f" and "jo_90" have none.
_NAME = re.compile(r"(?<!\w)[^\W\d_]+(?!\w)")
_CUE_BEFORE = re.compile(
    r"(?:\bname is|\bname's|\bcall (?:me|him|her)|\btell|\bask(?:ed)?|\bsays?|\bsaid|\bmet) $", re.I
)
_CUE_BEHIND = re.compile(r" (?:said|says|told|texted|called|asked|replied)\b", re.I)
_OPENS = re.compile(r"(?:^|[.!?:\n\"(*-])[\s_\"'(*-]*$")


@dataclass(frozen=True, slots=True)
class Names:
    """What the people of one conversation are called, in small letters without accents."""

    wholes: frozenset[tuple[str, ...]] = frozenset()
    parts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Sequence[str]) -> Names:
        """Take names apart; words that name nobody are no parts."""
        words = [tuple(map(_folded, _NAME.findall(name))) for name in names if "@" not in name]
        nobody = function_words() | kin_words()
        parts = {part for word in words for part in word if len(part) > 1 and part not in nobody}
        wholes = {word for word in words if len(word) > 1 and (parts - dictionary()).intersection(word)}
        return cls(frozenset(wholes), frozenset(parts))


@dataclass(slots=True)
class Left:
    """How many messages of apps were looked at, and how often a name was left, by way."""

    messages: int = 0
    by_way: Counter[str] = field(default_factory=Counter)

    def report(self) -> dict[str, int]:
        """Counts only."""
        return {"messages": self.messages, **{way: self.by_way[way] for way in WAYS}}


def left_names(ingested: Path, anonymized: Path, lists: Path) -> Left:
    """Look for the names of participants and of erased people in what was said.

    Args:
        ingested: output of the stage `ingest`, raw.
        anonymized: messages of the stage `anonymize`: the same rows at the same places.
        lists: folder of lists of erased senders.

    Returns:
        What was left.

    Raises:
        DataError: if the two tables do not hold the same rows.
    """
    known, nobody = _by_conversation(ingested / "participants.parquet"), Names()
    erased = Names.of(sorted(_erased(ingested, lists)))
    left = Left()
    for raw, masked in zip(part_paths(ingested / "messages"), part_paths(anonymized), strict=True):
        rows = pl.read_parquet(raw, columns=["conversation_id", "order"])
        said = pl.read_parquet(masked, columns=["order", "text"])
        if not rows["order"].equals(said["order"]):
            raise DataError(
                f"{masked}: expected the rows of {raw}, got others; next: run the stage anonymize again"
            )
        for conversation, text in zip(rows["conversation_id"], said["text"], strict=True):
            left.messages += 1
            left.by_way.update(found(text, known.get(conversation, nobody)))
            left.by_way.update(way for way in found(text, erased) if way != "bare")
    return left


def _by_conversation(participants: Path) -> Mapping[str, Names]:
    names: dict[str, list[str]] = defaultdict(list)
    told = pl.scan_parquet(participants).filter(~pl.col("source").is_in(OPAQUE_IDS))  # opaque ids name nobody
    for conversation, name in told.select("conversation_id", "name").collect().iter_rows():
        names[conversation].append(name)
    return {conversation: Names.of(known) for conversation, known in names.items()}


def _erased(ingested: Path, lists: Path) -> set[str]:
    """What erased people are called: by the lists, by the logs, and by the names that exports give to their ids."""
    gone = pl.read_parquet(ingested / "erased.parquet", columns=ERASED.names())
    people = pl.read_parquet(ingested / "participants.parquet").join(gone, on=["source", "sender"], how="semi")
    lines = (line for path in sorted(lists.glob("*.txt")) for line in path.read_text("utf-8-sig").splitlines())
    listed = {line.partition("/")[2].strip() for line in lines if not line.lstrip().startswith("#")}
    return {*gone["sender"], *people["name"], *listed} - {""}


def found(text: str, names: Names) -> Iterator[str]:
    """Tell in which ways names are left in a text with slots.

    Args:
        text: one message.
        names: whose.

    Yields:
        One of `WAYS` for each part of a name, and for each whole name.
    """
    if not names.parts:
        return
    bare = _SLOT.sub("\0", text)
    tokens = list(_TOKEN.finditer(bare))
    folded = [_folded(token[0]) for token in tokens]
    for place, token in enumerate(tokens):
        if any(tuple(folded[place : place + len(whole)]) == whole for whole in names.wholes):
            yield "whole"
        elif folded[place] in names.parts:
            yield _way(bare, token)


def _way(text: str, token: re.Match[str]) -> str:
    before = text[max(0, token.start() - 30) : token.start()]
    if before.endswith("@"):
        return "at"
    if token[0].istitle() and not _OPENS.search(before):
        return "capital"
    return "cue" if _CUE_BEFORE.search(before) or _CUE_BEHIND.match(text, token.end()) else "bare"


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.casefold().replace("ł", "l").replace("ı", "i"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
