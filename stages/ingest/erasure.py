"""Erasure: senders whose messages must not be in any build, listed by people in plain files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from unicodedata import category, normalize

import polars as pl

from stages.common.errors import DataError
from stages.common.messages import ERASED
from stages.ingest.chunks import MAX_ROW
from stages.ingest.readers.mojibake import repair

#: Senders by source, as the lists spell them.
Senders = Mapping[str, Collection[str]]

# What can be mojibake. A capital before a hard space ("RENÉ\xa0D.") would be too, but is none; "Ã\xa0" is an "à".
_GARBLED = re.compile(r"(?![^Ã]\xa0(?![\x80-\xff]))[\x80-\xff]+")

# Reasons of rows in which the sender could be read: all that is wrong is with another field.
_CLEAR = re.compile(r"blank text|duplicate .+|unknown key|(?!(?:sender|sender_name|from_id|author):)\w+: .+")


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a list."""

    #: Number of the list, by name, and of the line: people name files after people.
    place: str
    source: str
    sender: str


def spelling(sender: str) -> str:
    """Give what is the same in all spellings of a sender.

    Case, forms of Unicode, white space, dashes, invisible characters, mojibake and the "~" of WhatsApp make no
    difference.

    Args:
        sender: as logs or lists spell it.

    Returns:
        The key to compare by; the sender itself if nothing is left of it.
    """
    return _folded(sender).lstrip("~ ") or sender


def _folded(text: str) -> str:
    repaired = _GARBLED.sub(lambda run: repair(run[0]), text)
    kinds = [(char, category(char)) for char in repaired]
    plain = "".join("-" if kind == "Pd" else char for char, kind in kinds if kind != "Cf")
    # Case folding can leave decomposed characters behind, hence the second pass, as in `rejoinder.text`.
    return " ".join(normalize("NFKC", normalize("NFKC", plain).casefold()).split())


def _squashed(text: str) -> str:
    return "".join(char for char in normalize("NFKD", _folded(text)) if char.isalnum())


def read_erased(folder: Path, sources: Collection[str]) -> list[Listed]:
    """Read every list of erased senders.

    Args:
        folder: `*.txt`, UTF-8, one `source/sender` a line; blank lines and lines that start with `#` say nothing.
        sources: the names that may stand before the slash.

    Returns:
        The lines that name somebody.

    Raises:
        DataError: naming every line and list that cannot be understood, by number, without the sender.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of lists, got no such folder; next: make it, even empty")
    found = []
    problems = []
    paths = sorted(path for path in folder.glob("[!.]*") if path.name != "README.md")
    for place, path in enumerate(paths, start=1):
        try:
            lines = path.read_text(encoding="utf-8-sig").split("\n") if path.suffix == ".txt" else None
        except (OSError, UnicodeDecodeError):
            lines = None
        if lines is None:
            problems.append(f"{folder}: list {place}: expected a list named *.txt in UTF-8, got something else")
            continue
        for number, line in enumerate(map(str.strip, lines), start=1):
            source, slash, sender = line.partition("/")
            if not line or line.startswith("#"):
                continue
            if slash and sender.strip() and source in sources:
                found.append(Listed(f"list {place}, line {number}", source, sender.strip()))
            else:
                expected = f"source/sender with a source of {', '.join(sorted(sources))}"
                problems.append(f"{folder}: list {place}, line {number}: expected {expected}, got something else")
    if problems:
        advice = "next: correct the lists above, numbered by name: nothing is built until all are read"
        raise DataError("\n".join([*problems, advice]))
    return found


def by_source(listed: Iterable[Listed]) -> Senders:
    """Gather the listed senders of each source."""
    senders: dict[str, set[str]] = {}
    for line in listed:
        senders.setdefault(line.source, set()).add(line.sender)
    return senders


def unmatched(listed: Iterable[Listed], found: Senders) -> list[Listed]:
    """List the lines that name nobody.

    Args:
        listed: the lines.
        found: senders in the logs that were erased, as the logs spell them.

    Returns:
        Lines of which no spelling was found.
    """
    keys = {(source, spelling(sender)) for source, senders in found.items() for sender in senders}
    return [line for line in listed if (line.source, spelling(line.sender)) not in keys]


def redact(quarantine: pl.DataFrame, senders: Collection[str]) -> pl.DataFrame:
    """Empty the rows of a review table, and the names of files, in which an erased sender can be found.

    A row is emptied as well if it cannot be told whose it is: its sender could not be read, it was cut, or it has a
    backslash and so may spell the sender otherwise.

    Args:
        quarantine: rejected or dropped rows of one source, with the columns of `QUARANTINE`.
        senders: the erased senders of that source.

    Returns:
        The same rows, with their reasons.
    """
    if not senders:
        return quarantine
    row, file = quarantine["row"], quarantine["file"]
    clear = [reason for reason in quarantine["reason"].unique() if _tells_sender(reason)]
    hidden = (
        _named(row, senders)
        | ~quarantine["reason"].is_in(clear)
        | row.str.contains("\\", literal=True)
        | (row.str.len_chars() >= MAX_ROW)
    )
    return quarantine.with_columns(
        file=unnamed(file, senders),
        row=pl.when(hidden).then(pl.lit("")).otherwise("row"),
    )


def unnamed(files: pl.Series, senders: Collection[str]) -> pl.Series:
    """Empty the names of files in which one of these senders can be found."""
    if not senders:
        return files
    # Apps write names into paths without blanks and accents.
    squashed = pl.Series([_squashed(name) for name in files], dtype=pl.String())
    short = [_squashed(sender) or sender for sender in senders]
    named = _named(files, senders) | squashed.str.contains_any(short)
    return (
        files.to_frame("file").select(pl.when(named).then(pl.lit("")).otherwise("file").alias("file")).to_series()
    )


def _named(texts: pl.Series, senders: Collection[str]) -> pl.Series:
    folded = pl.Series([_folded(text) for text in texts], dtype=pl.String())
    keys = [spelling(sender) for sender in senders]
    return texts.str.contains_any(list(senders)) | folded.str.contains_any(keys)


def _tells_sender(reason: str) -> bool:
    return all(_CLEAR.fullmatch(problem) for problem in reason.split("; "))


def erased_table(counts: Iterable[tuple[str, str, int]]) -> pl.DataFrame:
    """Make the table of erased senders.

    Args:
        counts: source, sender, number of messages dropped; also of senders without any.

    Returns:
        A table with the columns of `ERASED`.
    """
    return pl.DataFrame(sorted(set(counts)), schema=ERASED, orient="row")
