"""Files -> which of some needles they hold, whatever the file is."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

#: Bytes read at a time.
_CHUNK = 8 * 2**20

#: What readers raise on a file that only looks as if it were one of theirs.
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, sqlite3.DatabaseError, pl.exceptions.PolarsError)

_SQLITE = b"SQLite format 3\0"
_GZIP = b"\x1f\x8b"


class Stream(Protocol):
    """Something that bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Read up to so many bytes; none at the end."""


#: Spellings of a needle, as bytes with small ASCII letters -> its place in the list of needles.
Spellings = Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class Hit:
    """A needle that was found."""

    #: Its place in the list of needles, from 0: reports never repeat what must not be found.
    needle: int
    path: Path


def search(paths: Iterable[Path], needles: Sequence[str]) -> Iterator[Hit]:
    """Look for needles in files and in their names, in whatever case.

    All bytes are read, for text in UTF-8, 16 and 32, and as JSON escapes it; tables and databases also by value,
    archives also unpacked.

    Args:
        paths: files.
        needles: not empty ones.

    Yields:
        One hit a file and needle.
    """
    spellings = _spellings(needles)
    for path in paths:
        found = _in_stream(io.BytesIO(path.name.encode("utf-8", "surrogateescape")), spellings)
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
            file.seek(0)
            found |= _in_stream(file, spellings)
        with suppress(*_BROKEN):  # no such file after all: its bytes were read above
            for stream in _contents(path, head):
                found |= _in_stream(stream, spellings)
        yield from (Hit(needle, path) for needle in sorted(found))


def _spellings(needles: Sequence[str]) -> Spellings:
    return {
        text.encode(encoding, "surrogatepass").lower(): number
        for number, needle in enumerate(needles)
        for text in (needle, needle.lower(), json.dumps(needle)[1:-1], json.dumps(needle.lower())[1:-1])
        for encoding in ("utf-8", "utf-16-le", "utf-32-le")
    }


def _in_stream(stream: Stream, spellings: Spellings) -> set[int]:
    overlap = max(map(len, spellings), default=1) - 1
    found: set[int] = set()
    rest = b""
    while chunk := stream.read(_CHUNK):
        raw = rest + chunk
        small = raw.lower()
        found |= {number for spelling, number in spellings.items() if spelling in small}
        rest = raw[-overlap:] if overlap else b""
    return found


def _contents(path: Path, head: bytes) -> Iterator[Stream]:
    """What a file holds in a form that its bytes do not show."""
    if path.suffix == ".parquet":
        yield from map(io.BytesIO, _values(pl.read_parquet(path)))
    elif head == _SQLITE:
        yield from map(io.BytesIO, _rows(path))
    elif head.startswith(_GZIP):
        with gzip.open(path) as unpacked:
            yield unpacked
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    yield member


def _values(table: pl.DataFrame) -> Iterator[bytes]:
    for column in table.iter_columns():
        if isinstance(column.dtype, pl.List | pl.Array):
            yield from _values(column.explode().to_frame())
        elif isinstance(column.dtype, pl.Struct):
            yield from _values(column.struct.unnest())
        elif column.dtype == pl.Binary:
            yield b"\n".join(column.drop_nulls())
        else:
            yield "\n".join(column.cast(pl.String, strict=False).drop_nulls()).encode("utf-8", "surrogatepass")


def _rows(path: Path) -> Iterator[bytes]:
    """Values of a database, row by row: in the file, long ones are spread over pages."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        database.text_factory = bytes
        tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (name,) in tables:
            quoted = name.decode().replace('"', '""')
            for row in database.execute(f'select * from "{quoted}"'):  # noqa: S608 - the name is the database's own
                yield b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
