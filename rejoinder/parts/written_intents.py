"""Intents as people write them, in YAML: phrases that call for them, the character's answers, dates of promotions.

A folder holds files of lists of intents, and `none.yaml`: turns that come near one and belong to none. Read by
whoever builds a release; a release itself holds no YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from rejoinder.errors import InputError
from rejoinder.parts.care import read_yaml
from rejoinder.text import normalize, words

NONE = "none.yaml"
#: What is said when nothing was ready in time; no phrase calls for it.
TOO_LATE = "too-late"
_KEYS, _DATES = {"intent", "phrases", "replies"}, {"from", "until"}
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SLOT = re.compile(r"\{([^{}]*)\}|<([A-Z]+_[0-9]+)>")
_MAX_CHARS, _MAX_WORDS = 200, 35
_MIN_PHRASES = 4  # fewer cannot be learnt
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Intent:
    """One intent.

    Attributes:
        name: words and hyphens.
        phrases: what users say that calls for it.
        replies: the character's answers.
        since: first day on which it is answered; None for always.
        until: last such day; None for always.
    """

    name: str
    phrases: tuple[str, ...]
    replies: tuple[str, ...]
    since: date | None = None
    until: date | None = None

    def is_active(self, today: date) -> bool:
        """Whether it is answered on a day."""
        return (self.since is None or self.since <= today) and (self.until is None or today <= self.until)


@dataclass(frozen=True, slots=True)
class Written:
    """All intents, and turns that belong to none."""

    intents: tuple[Intent, ...]
    none: tuple[str, ...]


def intent_files(folder: Path) -> list[Path]:
    """The files of a folder of intents, sorted."""
    return sorted(folder.glob("*.yaml"))


def read_intents(folder: Path, character: Mapping[str, str]) -> Written:
    """Read every intent of a folder, the character's slots filled.

    Args:
        folder: holds *.yaml.
        character: what each slot of a reply stands for: `{name}`.

    Returns:
        The intents, in the order of files and lines.

    Raises:
        InputError: if there are none, or anything is wrong with them; names every file and intent, never a text.
    """
    problems: list[str] = []
    intents: list[Intent] = []
    none: tuple[str, ...] = ()
    for path in intent_files(folder):
        found = read_yaml(path, problems)
        if path.name == NONE:
            none = _none(found, problems)
            continue
        for number, entry in enumerate(found if isinstance(found, list) else [found], 1):
            where = f"{path.name}, intent {number}"
            if lines := list(_entry_problems(entry, character)):
                problems += [f"{where}: {line}" for line in lines]
            else:
                intents.append(_intent(entry))
    problems += _shared_problems(intents, none)
    if not problems and not any(intent.phrases for intent in intents):
        problems.append("expected at least one *.yaml with an intent that phrases call for, got none")
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        lines = [f"  - {line}" for line in [*problems[:_SHOWN], *more]]
        listed = "\n".join(lines)
        raise InputError(f"{folder}: intents that cannot be used\n{listed}\n  next: correct the intents above")
    filled = [replace(i, replies=tuple(_filled(reply, character) for reply in i.replies)) for i in intents]
    return Written(tuple(filled), none)


def read_phrases(folder: Path) -> list[str]:
    """Read what users say that calls for an intent, or for none, as examples of everyday turns.

    Args:
        folder: holds *.yaml; `read_intents` looks for everything that may be wrong with them.

    Returns:
        All phrases, file by file.

    Raises:
        InputError: if a file cannot be read at all.
    """
    problems: list[str] = []
    found = {path.name: read_yaml(path, problems) for path in intent_files(folder)}
    if problems:
        listed = "\n".join(f"  - {line}" for line in problems)
        raise InputError(f"{folder}: intents that cannot be used\n{listed}\n  next: correct the intents above")
    entries = [e for entry in found.values() for e in (entry if isinstance(entry, list) else [entry])]
    lists = [e.get(key) for e in entries if isinstance(e, dict) for key in ("phrases", "none")]
    return [text for of in lists if isinstance(of, list) for text in of if isinstance(text, str)]


def _none(found: Any, problems: list[str]) -> tuple[str, ...]:
    texts = found.get("none") if isinstance(found, dict) else None
    if not isinstance(texts, list) or not all(isinstance(text, str) and normalize(text) for text in texts):
        problems.append(f"{NONE}: expected `none`, a list of texts, got something else (quote yes, no and numbers)")
        return ()
    return tuple(texts)


def _intent(entry: Mapping[str, Any]) -> Intent:
    phrases, replies = tuple(entry["phrases"]), tuple(entry["replies"])
    return Intent(entry["intent"], phrases, replies, entry.get("from"), entry.get("until"))


def _entry_problems(entry: Any, character: Mapping[str, str]) -> Iterator[str]:
    if not isinstance(entry, dict) or not _KEYS <= set(entry) <= _KEYS | _DATES:
        got = ", ".join(sorted(map(str, entry))) if isinstance(entry, dict) else type(entry).__name__
        yield f"expected the keys {', '.join(sorted(_KEYS))}, and perhaps {', '.join(sorted(_DATES))}, got {got}"
        return
    name = entry["intent"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield "intent: expected lower-case words joined by hyphens, got something else"
    for key, least in (("phrases", 0 if name == TOO_LATE else _MIN_PHRASES), ("replies", 1)):
        texts = entry[key]
        if not isinstance(texts, list) or not all(isinstance(text, str) and normalize(text) for text in texts):
            yield f"{key}: expected a list of texts, got something else (quote yes, no, numbers and signs)"
        elif len(texts) < least:
            yield f"{key}: expected at least {least}, got {len(texts)}"
        elif key == "replies":
            yield from _reply_problems(texts, character)
    yield from _date_problems(entry)


def _reply_problems(replies: Sequence[str], character: Mapping[str, str]) -> Iterator[str]:
    for number, text in enumerate(replies, 1):
        for slot, person in _SLOT.findall(text):
            if person or slot not in character:
                known = ", ".join(f"{{{name}}}" for name in character) or "none"
                yield f"reply {number}: expected no slots but the character's ({known}), got another"
        if len(text) > _MAX_CHARS or len(words(text)) > _MAX_WORDS or "\n" in text:
            yield f"reply {number}: expected one line of at most {_MAX_CHARS} characters and {_MAX_WORDS} words"


def _date_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    given = {key: entry[key] for key in _DATES if key in entry}
    if any(type(value) is not date for value in given.values()):
        yield "from, until: expected dates such as 2026-12-24, got something else"
    elif given and (given.get("until", date.max) < given.get("from", date.min)):
        yield "from, until: expected the first day before the last, got a date that never comes"


def _filled(reply: str, character: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda found: character[found[1]], reply)


def _shared_problems(intents: Sequence[Intent], none: Sequence[str]) -> Iterator[str]:
    """What stands in two places, and so cannot be learnt."""
    names = [intent.name for intent in intents]
    yield from (f"intent {name}: stands twice" for name in sorted({n for n in names if names.count(n) > 1}))
    seen: dict[str, str] = {}
    placed = [(phrase, intent.name) for intent in intents for phrase in intent.phrases]
    for phrase, where in [*placed, *((turn, NONE) for turn in none)]:
        if (other := seen.setdefault(normalize(phrase), where)) != where:
            yield f"a phrase stands in {other} and in {where}"
