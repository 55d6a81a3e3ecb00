"""Intents: the router. Which turns the character answers by itself, and how; some of them on some days only.

A classifier on turn vectors and n-grams says which intent a turn has, or none; below a threshold it has none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rejoinder.errors import ConsistencyError, FormatError, Problem
from rejoinder.parts import VECTORIZER
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.classifier import Classifier, ClassifierProbe, pick, read_classifier, weights_file
from rejoinder.parts.written_intents import TOO_LATE, Intent
from rejoinder.release.manifest import Manifest, missing_files
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening
    from rejoinder.parts.vectorizer import Vectorizer

ENTRIES = "entries.jsonl"
ROUTER = "router"
_NONE = "none"
_MEMORY_FACTOR = 6  # bytes of memory per byte of file: weights are made single, phrases are text


def write_intents(directory: Path, intents: Sequence[Intent], classifier: Classifier, vectors: Vectors) -> None:
    """Write everything but the classifier's weights.

    Args:
        directory: an existing directory that holds them.
        intents: the character's slots filled.
        classifier: as it will be opened.
        vectors: float32 [n, dim], of all phrases, intent by intent.
    """
    lines = (
        {
            "intent": intent.name,
            "phrases": intent.phrases,
            "replies": intent.replies,
            "from": intent.since and intent.since.isoformat(),
            "until": intent.until and intent.until.isoformat(),
        }
        for intent in intents
    )
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (directory / ENTRIES).write_text(text, encoding="utf-8")
    ClassifierProbe(directory, ROUTER).write(classifier, phrases_of(intents), vectors)


def phrases_of(intents: Sequence[Intent]) -> list[str]:
    """All phrases, intent by intent."""
    return [phrase for intent in intents for phrase in intent.phrases]


def labels_of(intents: Sequence[Intent]) -> tuple[str, ...]:
    """The router's labels: none, then every intent that phrases call for."""
    return (_NONE, *(intent.name for intent in intents if intent.phrases))


class Intents:
    """An opened router. Safe to share between threads."""

    def __init__(self, intents: Sequence[Intent], classifier: Classifier, facts: dict[str, Any]) -> None:
        """Put entries and classifier together.

        Args:
            intents: the entries.
            classifier: with their labels.
            facts: `min_probability`, `time_zone`.
        """
        self.intents, self.classifier, self.facts = tuple(intents), classifier, facts
        self._by_name = {intent.name: intent for intent in intents}
        self._zone = time_zone(facts["time_zone"])

    def today(self) -> date:
        """The day where the release's time zone is."""
        return datetime.now(self._zone).date()

    def route(self, vector: Vectors, text: str, today: date) -> Intent | None:
        """The intent of a turn.

        Args:
            vector: float32 [dim], of the turn.
            text: the turn.
            today: entries of other days are no choice.

        Returns:
            The likeliest, if it is likely enough and answered today; else None.
        """
        found = self.classifier.probabilities(vector[None], [text])[0]
        best = 1 + int(found[1:].argmax())
        if found[best] < self.facts["min_probability"]:
            return None
        intent = self._by_name[self.classifier.labels[best]]
        return intent if intent.is_active(today) else None

    def too_late(self) -> tuple[str, ...]:
        """What is said when nothing was ready in time; empty if nothing was written for that."""
        entry = self._by_name.get(TOO_LATE)
        return entry.replies if entry else ()


def time_zone(name: str) -> tzinfo:
    """A time zone.

    Args:
        name: "UTC", or a name of the IANA database: "Europe/Berlin".

    Returns:
        The zone.

    Raises:
        ConsistencyError: if this machine does not know it.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problem = Problem("time_zone", "one that this machine knows", repr(name)[:40])
        raise ConsistencyError("intents", [problem]) from None


def read_entries(path: Path) -> list[Intent]:
    """Read the entries of a bundle.

    Args:
        path: entries.jsonl, its bytes verified.

    Returns:
        The entries.

    Raises:
        FormatError: if a line is none.
    """
    try:
        return [_entry(json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(str(path), [Problem(path.name, "an intent a line", type(error).__name__)]) from None


def _entry(line: dict[str, Any]) -> Intent:
    phrases, replies = tuple(line["phrases"]), tuple(line["replies"])
    days = [date.fromisoformat(line[key]) if line[key] is not None else None for key in ("from", "until")]
    if not replies or not all(type(text) is str for text in (line["intent"], *phrases, *replies)):
        raise TypeError("expected texts")
    "".join([line["intent"], *phrases, *replies]).encode()  # half a character is no text; its error is a ValueError
    return Intent(line["intent"], phrases, replies, *days)


def fact_problems(manifest: Manifest) -> list[Problem]:
    """Check the facts that a router is opened by.

    Args:
        manifest: of an intents bundle.

    Returns:
        What cannot be right.
    """
    facts, problems = manifest.facts, []
    value = facts.get("min_probability")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        problems.append(Problem("facts: min_probability", "a number from 0 to 1", "something else"))
    if not isinstance(facts.get("time_zone"), str):
        problems.append(Problem("facts: time_zone", "a text", "something else"))
    needed = (ENTRIES, weights_file(ROUTER))
    return problems + missing_files(manifest, needed)


def open_part(opening: Opening) -> Intents:
    """Load the router of a release."""
    if problems := fact_problems(opening.manifest):
        raise ConsistencyError(str(opening.directory), problems)
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    intents = read_entries(opening.directory / ENTRIES)
    labels, files = labels_of(intents), opening.manifest.files
    classifier = read_classifier(opening.directory, ROUTER, labels, vectorizer.dim, files)
    return Intents(intents, classifier, dict(opening.manifest.facts))


def probe(opening: Opening, intents: Intents) -> list[Problem]:
    """Encode picked phrases again, and classify them, whatever day it is."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    phrases = phrases_of(intents.intents)
    vectors = vectorizer.encode([normalize(phrases[row]) for row in pick(len(phrases))])
    found = ClassifierProbe(opening.directory, ROUTER)
    return found.problems(intents.classifier, phrases, vectors, opening.tolerance)


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of texts and weights, once read."""
    del provider
    return _MEMORY_FACTOR * sum(entry.size for entry in manifest.files.values())
