"""Care: what sensitive turns are, and what is said to them, as people write it, in YAML.

A folder holds a file a kind (`self-harm.yaml`), `helplines.yaml` and `offensive.yaml`. Read by whoever builds a
release; a release itself holds no YAML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rejoinder.errors import InputError
from rejoinder.text import normalize

HELPLINES, OFFENSIVE = "helplines.yaml", "offensive.yaml"
SLOT = "{helpline}"
_LISTS = ("turns", "look_alikes", "phrases", "unless", "first", "next", "check")
_MAX_CHARS = 400  # of a scripted answer, its helpline included
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class CareKind:
    """One kind of sensitive turn.

    Attributes:
        kind: its name.
        turns: examples.
        look_alikes: turns that only sound so.
        phrases: words in a row that always mean it, wherever they stand; a word may end in * for any ending.
        unless: words in a row in whose presence they do not.
        first: scripted answers to such a turn.
        next: scripted answers to what the user says after it.
        check: questions to a turn that only comes near this kind, and may well be harmless.
    """

    kind: str
    turns: tuple[str, ...]
    look_alikes: tuple[str, ...]
    phrases: tuple[str, ...]
    unless: tuple[str, ...]
    first: tuple[str, ...]
    next: tuple[str, ...]
    check: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Helplines:
    """Where people of a locale find help.

    Attributes:
        locale: BCP 47, "en-US".
        reviewed: when somebody last checked every number.
        lines: a sentence by kind.
    """

    locale: str
    reviewed: date
    lines: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Offensive:
    """What an assistant must not say, fine replies that resemble it, and words that are always unfit."""

    offensive: tuple[str, ...]
    acceptable: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Care:
    """Everything that a guard is made of."""

    kinds: tuple[CareKind, ...]
    helplines: tuple[Helplines, ...]
    offensive: Offensive


def care_files(folder: Path) -> list[Path]:
    """The files of a folder of care, sorted."""
    return sorted(folder.glob("*.yaml"))


def read_care(folder: Path, locale: str) -> Care:
    """Read a folder.

    Args:
        folder: holds the files.
        locale: whose helplines must be there.

    Returns:
        What they say.

    Raises:
        InputError: if anything is missing or wrong; names every file and key, never a text.
    """
    problems: list[str] = []
    found = {path.name: read_yaml(path, problems) for path in care_files(folder)}
    kinds = [
        _kind(entry)
        for name, entry in found.items()
        if name not in (HELPLINES, OFFENSIVE) and _is_fine(name, _kind_problems(entry), problems)
    ]
    helplines = [
        Helplines(**entry)
        for number, entry in enumerate(found.get(HELPLINES) or [], 1)
        if _is_fine(f"{HELPLINES}, locale {number}", _helpline_problems(entry), problems)
    ]
    offensive = found.get(OFFENSIVE)
    fine = _is_fine(OFFENSIVE, _list_problems(offensive, ("offensive", "acceptable", "words")), problems)
    problems += [] if problems else [*_shared_problems(kinds), *_locale_problems(kinds, helplines, locale)]
    if problems or not kinds or not fine or not isinstance(offensive, dict):
        lines = "\n".join(f"  - {line}" for line in (problems or ["no kind of sensitive turn"])[:_SHOWN])
        raise InputError(f"{folder}: care that cannot be used\n{lines}\n  next: correct the lines above")
    texts = {key: tuple(value) for key, value in offensive.items()}
    return Care(tuple(kinds), tuple(helplines), Offensive(**texts))


def parse_care(document: Any) -> Care:
    """Take what a release holds, which `read_care` has read once.

    Args:
        document: JSON values.

    Returns:
        What they say.

    Raises:
        ValueError: if they are none; also KeyError, TypeError.
    """
    kinds = [_kind(entry) for entry in document["kinds"]]
    helplines = [
        Helplines(
            str(h["locale"]), date.fromisoformat(h["reviewed"]), {str(k): str(v) for k, v in h["lines"].items()}
        )
        for h in document["helplines"]
    ]
    offensive = Offensive(**{key: _texts(texts) for key, texts in document["offensive"].items()})
    if not kinds or not all(kind.turns and kind.first and kind.next for kind in kinds) or not offensive.offensive:
        raise ValueError("expected kinds with examples and scripts")
    return Care(tuple(kinds), tuple(helplines), offensive)


def _kind(entry: Mapping[str, Any]) -> CareKind:
    # Care that was released before there were checks has none.
    return CareKind(str(entry["kind"]), **{key: _texts(entry.get(key, [])) for key in _LISTS})


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(type(text) is str for text in found):
        raise TypeError("expected a list of texts")
    return tuple(found)


def _is_fine(where: str, found: Iterator[str], problems: list[str]) -> bool:
    lines = [f"{where}: {problem}" for problem in found]
    problems += lines
    return not lines


def read_yaml(path: Path, problems: list[str]) -> Any:
    """Read YAML that people write.

    Args:
        path: the file.
        problems: receives where it cannot be read.

    Returns:
        What it says; an empty list if it cannot be read.
    """
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        problems.append(f"{path.name}:{mark.line + 1 if mark else '?'}: expected YAML, got something unreadable")
        return []


def _list_problems(entry: Any, keys: Sequence[str], others: Sequence[str] = ()) -> Iterator[str]:
    if not isinstance(entry, dict) or set(entry) != {*keys, *others}:
        got = ", ".join(sorted(map(str, entry))) if isinstance(entry, dict) else type(entry).__name__
        yield f"expected the keys {', '.join((*others, *keys))}, got {got}"
        return
    for key in keys:
        texts = entry[key]
        if not isinstance(texts, list) or not all(isinstance(text, str) and normalize(text) for text in texts):
            yield f"{key}: expected a list of texts, got something else (quote yes, no, numbers and signs)"
        elif not texts and key != "unless":
            yield f"{key}: expected at least one, got none"


def _kind_problems(entry: Any) -> Iterator[str]:
    problems = list(_list_problems(entry, _LISTS, ["kind"]))
    yield from problems
    if problems:
        return
    for key in ("first", "next", "check"):
        for number, text in enumerate(entry[key], 1):
            if "{" in text.replace(SLOT, ""):
                yield f"{key} {number}: expected no slot but {SLOT}, got another"
            if len(text) > _MAX_CHARS or "\n" in text:
                yield f"{key} {number}: expected one line of at most {_MAX_CHARS} characters, got {len(text)}"


def _helpline_problems(entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict) or set(entry) != {"locale", "reviewed", "lines"}:
        yield "expected the keys lines, locale, reviewed, got others"
        return
    if not isinstance(entry["locale"], str):
        yield "locale: expected a text such as en-US, got something else"
    if not isinstance(entry["reviewed"], date):
        yield "reviewed: expected a date such as 2026-11-27, got something else"
    lines = entry["lines"]
    if not isinstance(lines, dict) or not all(isinstance(line, str) and line.strip() for line in lines.values()):
        yield "lines: expected a sentence by kind, got something else"


def _shared_problems(kinds: Sequence[CareKind]) -> Iterator[str]:
    """What stands in two places, and so cannot be learnt."""
    seen: dict[str, str] = {}
    for kind in kinds:
        for key in ("turns", "look_alikes"):
            for text in getattr(kind, key):
                where = f"{kind.kind}, {key}"
                if (other := seen.setdefault(normalize(text), where)) != where:
                    yield f"a text stands in {other} and in {where}"


def _locale_problems(kinds: Sequence[CareKind], helplines: Sequence[Helplines], locale: str) -> Iterator[str]:
    """A script that promises a helpline needs one."""
    if locale not in {entry.locale for entry in helplines}:
        named = ", ".join(entry.locale for entry in helplines) or "none"
        yield f"{HELPLINES}: expected the locale {locale} that guard.locale names, got {named}"
    for entry in helplines:
        wanting = {k.kind for k in kinds if any(SLOT in text for text in (*k.first, *k.next, *k.check))}
        if missing := sorted(wanting - set(entry.lines)):
            yield f"{HELPLINES}, {entry.locale}: expected a line for {', '.join(missing)}, got none"
