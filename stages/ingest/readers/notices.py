"""Texts that apps write themselves, told from what people write; the texts are in `notices.tsv`.

A notice is recognised as a whole line only, and where it starts with its actor, only with the sender's own name or
"You": "Ann left the group" by Ben is gossip.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

#: Characters of a text that can be a notice.
MAX_NOTICE = 1000

#: The texts: one row each, by app, locale, place and kind.
TABLE = Path(__file__).with_name("notices.tsv")
_PIECES = {
    "{call}": r"(?:the|a|an|your) (?:(?:group|video|audio|voice) )*(?:call|chat)",
    "{sent}": (
        r"photo|picture|video|sticker|gif|attachment|link|file|location|live location|voice (?:message|clip)|post"
    ),
    "{encrypted}": (
        r"Messages (?:and calls are end-to-end encrypted|[^\n.]* secured with end-to-end encryption)\."
        r"(?: (?:No one|Only people|Tap|They|Learn)\b[^\n]*)?"
    ),
    "{title}": r"[“\"][^\n]*[”\"]",
}
_NAME = re.compile(r"\{names?\}")


@dataclass(frozen=True, slots=True)
class Notices:
    """The rows of the table for one app and one place, as one pattern."""

    pattern: re.Pattern[str]
    kinds: dict[str, str]

    def match(self, text: str) -> re.Match[str] | None:
        """Match a whole text."""
        return self.pattern.fullmatch(text) if len(text) <= MAX_NOTICE else None

    def kind_of(self, text: str) -> str | None:
        """Tell the kind of notice that a whole text is."""
        found = self.match(text)
        return self.kinds[found.lastgroup or ""] if found else None


def rows_of(app: str, where: str) -> Iterator[tuple[str, str]]:
    """Read kind and pattern of the rows for an app and a place, in every locale."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            row_app, _locale, row_where, kind, pattern = line.split("\t")
            if (row_app, row_where) == (app, where):
                yield kind, pattern


def notices_of(app: str, where: str, flags: re.RegexFlag, end: str = "") -> Notices:
    """Compile the rows for an app and a place, in every locale.

    Args:
        app: of the table.
        where: of the table.
        flags: of the pattern.
        end: what may follow each row's pattern.

    Returns:
        One pattern, and the kind of each of its rows.
    """
    numbers = count()
    rows = {f"row{number}": row for number, row in enumerate(rows_of(app, where))}
    patterns = (f"(?P<{group}>(?:{_spelled(row[1], numbers)}){end})" for group, row in rows.items())
    return Notices(re.compile("|".join(patterns), flags), {group: row[0] for group, row in rows.items()})


def _spelled(pattern: str, numbers: Iterator[int]) -> str:
    for piece, spelled in _PIECES.items():
        pattern = pattern.replace(piece, spelled)
    return _NAME.sub(lambda _: rf"(?P<name{next(numbers)}>(?:(?!: )[^\n]){{1,300}}?)", pattern)


_ANY_CASE = re.DOTALL | re.IGNORECASE
_DEEDS, _LINES = (notices_of("messenger", where, _ANY_CASE, end="[.!]?") for where in ("deed", "line"))


def messenger_notice(text: str, sender: str) -> str | None:
    """Tell what Messenger reports with a text, or None if a person wrote it.

    Args:
        text: of the message.
        sender: its sender's name, who is the actor of the notice.

    Returns:
        The kind of notice.
    """
    line = text.strip()
    for actor in (sender, "You"):
        deed = line.removeprefix(actor)
        if deed != line and deed[:1] in (" ", "'", "’") and (kind := _DEEDS.kind_of(deed.removeprefix(" "))):
            return kind
    return _LINES.kind_of(line)
