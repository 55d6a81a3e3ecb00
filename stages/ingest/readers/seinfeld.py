"""The packaged sitcom transcripts: 96 episodes with the audience's laughter (`seinfeld_laugh_corpus`, MIT).

The files are parsed here, without importing the package, which would set up the root logger. A file is a
sequence of

    # SPEAKER                      opens a turn
    1.106                          a subtitle: start in seconds, lines of text, end in seconds
    Here's what happened last
    week, in case you missed it.
    3.050
    3.600                          laughter at 3.6 s: the message before it gets the reaction "funny"
    **LOL**
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from stages.common.errors import DataError
from stages.common.messages import Item, Message, Rejected

#: The transcripts have no dates. An episode gets the day `100 * season + episode` after this one, so only the gaps
#: inside an episode are real.
BASE_DATE = datetime(2000, 1, 1, tzinfo=UTC)

FILES = "Seinfeld.S[0-9][0-9]E[0-9][0-9].*.merged"

_TIME = r"[0-9]{1,6}(?:\.[0-9]+)?\n"
_LAUGHTER = rf"{_TIME}\*\*LOL\*\*\n"
_TOKEN = re.compile(
    rf"""
      ^(?P<silent>\#.*\n)(?=\#|\s*\Z)
    | ^\#\s*(?P<speaker>\S.*)\n
    | ^(?P<start>{_TIME})(?P<text>(?:(?!{_TIME}|\#|\*\*LOL\*\*).*\S.*\n)+){_TIME}(?P<laughter>(?:{_LAUGHTER})*)
    | ^(?P<odd>.*\S.*\n)
    """,
    re.VERBOSE | re.MULTILINE,
)


def read(_logs: Path) -> Iterator[Item]:
    """Read the packaged transcripts, in the order of their names.

    Args:
        _logs: plays no part.

    Yields:
        One message a subtitle.

    Raises:
        DataError: if the package is not installed.
    """
    spec = find_spec("seinfeld_laugh_corpus")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            "seinfeld: expected the package seinfeld-laugh-corpus, got none; next: install `[pipeline]`"
        )
    folder = Path(spec.submodule_search_locations[0]) / "the_corpus"
    for path in sorted(folder.glob(FILES)):
        yield from parse(path.name, "".join(map(_decode, path.read_bytes().splitlines())))


def parse(file: str, content: str) -> list[Item]:
    """Read one episode.

    Args:
        file: its name, which holds season and episode, e.g. `Seinfeld.S07E06.The.Soup.Nazi.merged`.
        content: its text, every line ended by a newline.

    Returns:
        Messages and rejected lines, in the order of the file.
    """
    _, episode, *_ = file.split(".")
    day = BASE_DATE + timedelta(days=100 * int(episode[1:3]) + int(episode[4:6]))
    items: list[Item] = []
    speaker, line, seen = "", 1, 0
    for token in _TOKEN.finditer(content):
        line, seen = line + content.count("\n", seen, token.start()), token.start()
        if token["speaker"]:
            speaker = token["speaker"].strip(" :")
        elif token["text"] and speaker:
            items.append(
                Message(
                    file=file,
                    line=line,
                    conversation_id=episode,
                    message_id=str(line),
                    sender=speaker,
                    sent_at=day + timedelta(seconds=float(token["start"])),
                    text=" ".join(token["text"].split()),
                    reaction="funny" if token["laughter"] else None,
                )
            )
        else:
            items.append(Rejected(file, line, _reason(token), token[0].strip()))
    return items


def _reason(token: re.Match[str]) -> str:
    if token["silent"]:
        return "turn without a subtitle"
    return "subtitle without a speaker" if token["text"] else "line outside a subtitle"


def _decode(line: bytes) -> str:
    # The files mix UTF-8 and Latin-1, and Latin-1 reads any byte.
    try:
        return line.decode("utf-8") + "\n"
    except UnicodeDecodeError:
        return line.decode("latin-1") + "\n"
