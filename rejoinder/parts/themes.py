"""Themes: prepared remarks as people write them, in YAML, and what can be wrong with them.

A theme holds turns that call for it and replies written for it. Read by whoever builds a release and by whoever
checks a change before that; a release itself holds no YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rejoinder.errors import InputError
from rejoinder.text import normalize, words

#: The theme whose replies are said when nothing else is fit; no turn calls for it. Themes whose names begin so are
#: said before, by what the annotators make of the turn: `last-resort-food-negative`, `last-resort-question`.
LAST_RESORT = "last-resort"
_KEYS = {"theme", "turns", "replies"}
_OPTIONAL = {"avoid", "gentle"}
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: Of a reply: characters, and words. A chat answers in a breath.
MAX_CHARS, MAX_WORDS = 200, 35
_MIN_REPLIES = 2
_SHOWN = 40  # problems that one message names


@dataclass(frozen=True, slots=True)
class Theme:
    """One theme.

    Attributes:
        name: words and hyphens.
        turns: what people say that calls for it.
        replies: what may be answered to any of them.
        is_gentle: whether they may also be said to somebody who may be in distress.
    """

    name: str
    turns: tuple[str, ...]
    replies: tuple[str, ...]
    is_gentle: bool = False


def is_resort_theme(name: object) -> bool:
    """Whether a theme is for when nothing else fits."""
    return isinstance(name, str) and (name == LAST_RESORT or name.startswith(f"{LAST_RESORT}-"))


def theme_files(folder: Path) -> list[Path]:
    """The files of a folder of remarks, sorted."""
    return sorted(folder.glob("*.yaml"))


def read_themes(folder: Path) -> list[Theme]:
    """Read every theme of a folder.

    Args:
        folder: holds *.yaml, each a list of themes.

    Returns:
        The themes, in the order of files and lines.

    Raises:
        InputError: if there are none, or anything is wrong with them; names every file and theme, never a text.
    """
    themes: list[Theme] = []
    problems: list[str] = []
    for path in theme_files(folder):
        for number, entry in enumerate(_entries(path, problems), 1):
            where = f"{path.name}, theme {number}"
            if found := list(_entry_problems(entry)):
                problems += [f"{where}: {problem}" for problem in found]
            else:
                turns, replies = tuple(entry["turns"]), tuple(entry["replies"])
                themes.append(Theme(entry["theme"], turns, replies, entry.get("gentle", False)))
    problems += _shared_problems(themes)
    if not problems and not any(theme.turns for theme in themes):
        problems.append("expected at least one *.yaml with a theme that turns call for, got none")
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        lines = "\n".join(f"  - {line}" for line in [*problems[:_SHOWN], *more])
        raise InputError(f"{folder}: remarks that cannot be used\n{lines}\n  next: correct the themes above")
    return themes


def _entries(path: Path, problems: list[str]) -> list[Any]:
    import yaml

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        problems.append(f"{path.name}:{mark.line + 1 if mark else '?'}: expected YAML, got something unreadable")
        return []
    if not isinstance(entries, list):
        problems.append(f"{path.name}: expected a list of themes, got something else")
        return []
    return entries


def _entry_problems(entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict) or not _KEYS | _OPTIONAL >= set(entry) >= _KEYS:
        got = ", ".join(sorted(map(str, entry))) if isinstance(entry, dict) else type(entry).__name__
        yield f"expected the keys {', '.join(sorted(_KEYS | _OPTIONAL))}, got {got}"
        return
    if not isinstance(entry.get("gentle", False), bool):
        yield "gentle: expected true or false, got something else"
    name = entry["theme"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield "theme: expected lower-case words joined by hyphens, got something else"
    for key, least in (("turns", 0 if is_resort_theme(name) else 1), ("replies", _MIN_REPLIES)):
        texts = entry[key]
        if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
            yield f"{key}: expected a list of texts, got something else (quote yes, no, numbers and signs)"
        elif len(texts) < least:
            yield f"{key}: expected at least {least}, got {len(texts)}"
        elif key == "replies":
            yield from _reply_problems(texts)


def _reply_problems(replies: list[str]) -> Iterator[str]:
    for number, text in enumerate(replies, 1):
        if len(text) > MAX_CHARS or len(words(text)) > MAX_WORDS or "\n" in text:
            yield (
                f"reply {number}: expected one line of at most {MAX_CHARS} characters and {MAX_WORDS} words, "
                f"got {len(text)} and {len(words(text))}"
            )


def _shared_problems(themes: list[Theme]) -> list[str]:
    """Names, turns and replies that stand twice."""
    names = [(theme.name, theme.name) for theme in themes]
    turns = [(normalize(turn), theme.name) for theme in themes for turn in theme.turns]
    replies = [(normalize(reply), theme.name) for theme in themes for reply in theme.replies]
    return [
        *(f"theme {name}: stands {count} times" for name, count, _ in _twice(names)),
        *(f"a turn stands in {' and '.join(where)}" for _, _, where in _twice(turns)),
        *(f"a reply stands in {' and '.join(where)}" for _, _, where in _twice(replies)),
    ]


def _twice(keyed: Iterable[tuple[str, str]]) -> Iterator[tuple[str, int, list[str]]]:
    places: dict[str, list[str]] = {}
    for key, where in keyed:
        places.setdefault(key, []).append(where)
    yield from ((key, len(where), where) for key, where in places.items() if len(where) > 1)
