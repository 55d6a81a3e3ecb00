"""Lines of a log: found in a file, and believed if they are what this version writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from rejoinder.serving.decisions.limits import MAX_LINE
from rejoinder.serving.decisions.record import ANSWER, FEEDBACK, KINDS, REACTION, TEXTS, VERSION, Record

_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_NUMBER = (int, float, type(None))
_TEXT = (str, type(None))
_KEYS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    ANSWER: {
        **dict.fromkeys(
            ("completion", "release", "conversation", "endpoint", "route", "fallback", "finish"), (str,)
        ),
        **dict.fromkeys(("user", "chosen"), _TEXT),
        **dict.fromkeys(("serial", "turns"), (int,)),
        **dict.fromkeys(("probability", "queue_ms", "total_ms"), _NUMBER),
        **dict.fromkeys(("candidates", "sources"), (list,)),
        **dict.fromkeys(("outputs", "steps"), (dict,)),
    },
    REACTION: {"completion": (str,), "reaction": _TEXT, "user": _TEXT, "storm": (bool,)},
    FEEDBACK: {
        "conversation": (str,),
        "thumb": _TEXT,
        "ratings": (dict, type(None)),
        "user": _TEXT,
        "storm": (bool,),
    },
}
_CANDIDATE = {"id": (str,), "source": (str,), "score": _NUMBER, "rank": _NUMBER, "dropped": _TEXT}
_TURN = {"speaker": (str,), "text": (str,)}


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Read a file line by line; of a line that is too long, only the beginning.

    Args:
        path: of the file; nothing is read if it has gone.

    Yields:
        The number of each line, from 1, and the line with its end. One without an end is torn, or too long.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:  # it was too old, or too much, meanwhile
        return
    with file:
        yield from numbered(file)


def numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines of an open file, as `lines_of` yields them."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        yield number, line
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE)


def parse(line: bytes) -> Record:
    """Read a record.

    Args:
        line: as it was written.

    Returns:
        The record.

    Raises:
        ValueError: if it is none that this version writes; says why, and quotes nothing of it.
    """
    record = parse_json(line)
    if record.get("v") != VERSION:
        raise ValueError("another version")
    kind = record.get("kind")
    if kind not in KINDS:
        raise ValueError("unknown kind")
    _check_time(record.get("at"))
    _check(record, _KEYS[kind], "")
    if kind == ANSWER:
        _check_lists(record)
    return record


def parse_json(line: bytes) -> Record:
    """Read any JSON object.

    Args:
        line: as it was written.

    Returns:
        The object.

    Raises:
        ValueError: if it is none; says why, and quotes nothing of it.
    """
    if not line.endswith(b"\n"):
        raise ValueError("too long")
    try:
        record = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(record, dict):
        raise ValueError("not an object")
    return record


def _refuse(_: str) -> None:
    raise ValueError


def _check_time(at: object) -> None:
    try:
        if isinstance(at, str) and _AT.fullmatch(at) and datetime.fromisoformat(at):
            return
    except ValueError:
        pass
    raise ValueError("no time in at")


def _check_lists(record: Record) -> None:
    for candidate in record["candidates"]:
        _check(candidate, _CANDIDATE, "candidates: ")
    texts = [key for key in TEXTS if key in record]
    if not texts:
        return
    _check(record, {"context": (list,), "reply": _TEXT, "texts": (list,)}, "")
    for turn in record["context"]:
        _check(turn, _TURN, "context: ")
    if len(record["texts"]) != len(record["candidates"]) or not all(isinstance(t, str) for t in record["texts"]):
        raise ValueError("bad texts")


def _check(found: Any, keys: Mapping[str, tuple[type, ...]], where: str) -> None:
    if not isinstance(found, dict):
        raise ValueError(f"{where}not an object")
    for key, types in keys.items():
        value = found.get(key, ...)
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ValueError(f"{where}bad {key}")
