"""Guard: which turns are sensitive, what is then said, and what must not be said to anybody.

Reviewed lists find what is plain in the text alone; a classifier on turn vectors and n-grams finds the rest. What
is said to a sensitive turn is scripted; a second classifier judges what an assistant may say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.errors import BundleError, ConsistencyError, FormatError, Problem
from rejoinder.parts import VECTORIZER
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.care import SLOT, Care, CareKind, parse_care
from rejoinder.parts.classifier import (
    Classifier,
    ClassifierProbe,
    Probabilities,
    pick,
    read_classifier,
    weights_file,
)
from rejoinder.parts.ngrams import plain_words
from rejoinder.release.manifest import Manifest, missing_files
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening
    from rejoinder.parts.vectorizer import Vectorizer

CARE = "care.json"
SENSITIVE, OFFENSIVE = "sensitive", "offensive"
#: Facts: probabilities from which on a turn is sensitive, gives cause for caution, and a reply is offensive.
THRESHOLDS = ("min_sensitive", "min_caution", "min_offensive")
#: Fact: probability from which on a check is asked before anything else is said; guards made earlier have none.
MIN_CHECK = "min_check"
#: How many of the user's last turns are read.
READ = 4
#: Probability of either of the last two turns from which on they are read once more as one text. It finds 88% of
#: distress that is told over several turns in place of 85%, and 93% of traps in place of 83% (development suite),
#: for one more encoding in every tenth chat and alarms in .5% more of them.
_TOGETHER = 0.2
_NONE = "none"
_MEMORY_FACTOR = 6  # bytes of memory per byte of file: weights are made single, examples are text


@dataclass(frozen=True, slots=True)
class Scripts:
    """What is said to turns of one kind: at once, while the matter is open, and where they only come near."""

    first: tuple[str, ...]
    next: tuple[str, ...]
    check: tuple[str, ...]


class WordList:
    """Words in a row that decide by themselves, wherever in a text they stand."""

    def __init__(self, phrases: Iterable[str], unless: Iterable[str] = ()) -> None:
        """Take a list over.

        Args:
            phrases: words in a row; one may end in * for any ending.
            unless: in whose presence they do not count.
        """
        self._phrases, self._unless = _either(phrases), _either(unless)

    def holds(self, text: str) -> bool:
        """Whether a text holds one of the phrases, and none in whose presence they do not count."""
        return self.holds_words(_spaced(text))

    def holds_words(self, spaced: str) -> bool:
        """As `holds`, of a text's plain words between single spaces."""
        return self._phrases.search(spaced) is not None and self._unless.search(spaced) is None


def _spaced(text: str) -> str:
    return f" {' '.join(plain_words(text))} "


def _either(phrases: Iterable[str]) -> re.Pattern[str]:
    """One pattern for all; it searches a text between single spaces."""
    patterns = []
    for phrase in phrases:
        parts = [(part.rstrip("*"), part.endswith("*")) for part in phrase.split()]
        found = [
            r"\w*" if not stem else " ".join(map(re.escape, plain_words(stem))) + (r"\w*" if open_ended else "")
            for stem, open_ended in parts
        ]
        patterns.append(" ".join(found))
    return re.compile(f" (?:{'|'.join(patterns)})(?= )" if patterns else r"(?!)")


def write_guard(
    directory: Path,
    care: Care,
    classifiers: Mapping[str, Classifier],
    vectors: Mapping[str, Vectors],
) -> None:
    """Write everything but the classifiers' weights.

    Args:
        directory: an existing directory that holds them.
        care: as people wrote it.
        classifiers: `SENSITIVE` and `OFFENSIVE`, as they will be opened.
        vectors: float32 [n, dim], of the examples of each, by `examples_of`.
    """
    document = {
        "kinds": [asdict(kind) for kind in care.kinds],
        "helplines": [asdict(entry) | {"reviewed": entry.reviewed.isoformat()} for entry in care.helplines],
        "offensive": asdict(care.offensive),
    }
    (directory / CARE).write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for name, classifier in classifiers.items():
        ClassifierProbe(directory, name).write(classifier, examples_of(care)[name], vectors[name])


def examples_of(care: Care) -> dict[str, list[str]]:
    """The positive examples of each classifier, kind by kind."""
    return {
        SENSITIVE: [turn for kind in care.kinds for turn in kind.turns],
        OFFENSIVE: list(care.offensive.offensive),
    }


def labels_of(care: Care) -> dict[str, tuple[str, ...]]:
    """The labels of each classifier; the first one stands for everything else."""
    return {SENSITIVE: (_NONE, *(kind.kind for kind in care.kinds)), OFFENSIVE: (_NONE, OFFENSIVE)}


class Guard:
    """An opened guard. Safe to share between threads."""

    def __init__(self, care: Care, classifiers: Mapping[str, Classifier], facts: Mapping[str, Any]) -> None:
        """Put lists, classifiers and scripts together.

        Args:
            care: what people wrote.
            classifiers: `SENSITIVE` and `OFFENSIVE`.
            facts: thresholds, locale, and `care_turns`: for how many further turns of the user care goes on.
        """
        self.care, self.classifiers, self.facts = care, classifiers, facts
        self._lists = {kind.kind: WordList(kind.phrases, kind.unless) for kind in care.kinds}
        self._unfit = WordList(care.offensive.words)
        self._judged: dict[str, bool] = {}
        lines = next((entry.lines for entry in care.helplines if entry.locale == facts["locale"]), {})
        self.scripts = {kind.kind: _scripts(kind, lines.get(kind.kind, "")) for kind in care.kinds}

    def listed(self, text: str) -> str | None:
        """The kind of a turn by the lists alone; None if they are silent."""
        spaced = _spaced(text)
        return next((kind for kind, phrases in self._lists.items() if phrases.holds_words(spaced)), None)

    def sensitive(self, vectors: Vectors, texts: Sequence[str]) -> Probabilities:
        """Probabilities that turns are of each kind.

        Args:
            vectors: float32 [n, dim], of the turns.
            texts: n turns.

        Returns:
            float32 [n, kinds + 1]; the first column is that of everything else. A turn in a script that no example
            is written in is everything else.
        """
        found = self.classifiers[SENSITIVE].probabilities(vectors, texts)
        for row, text in enumerate(texts):
            if not _is_latin(text):
                found[row] = 0
                found[row, 0] = 1
        return found

    def kind(self, probabilities: Probabilities) -> str | None:
        """The kind of a turn by its probabilities, whatever the lists say.

        Args:
            probabilities: float32 [kinds + 1], by `sensitive`.

        Returns:
            Its kind, or None.
        """
        return self.nearest(probabilities) if 1 - probabilities[0] >= self.facts["min_sensitive"] else None

    def nearest(self, probabilities: Probabilities) -> str:
        """The likeliest kind of a turn, however unlikely it is to have one."""
        return self.classifiers[SENSITIVE].labels[1 + int(probabilities[1:].argmax())]

    def calls_for_caution(self, probabilities: Probabilities) -> bool:
        """Whether a turn is near enough to sensitive ones that nothing from logs should answer it."""
        return bool(1 - probabilities[0] >= self.facts["min_caution"])

    def calls_for_check(self, probabilities: Probabilities) -> bool:
        """Whether a turn is so near to sensitive ones that a check comes before everything else."""
        return bool(1 - probabilities[0] >= self.facts.get(MIN_CHECK, self.facts["min_sensitive"]))

    def calls_for_both(self, probabilities: Probabilities) -> bool:
        """Whether a turn may mean something with the one beside it, float32 [kinds + 1], by `sensitive`."""
        return bool(1 - probabilities[0] >= _TOGETHER)

    def offensive(self, vectors: Vectors, texts: Sequence[str]) -> list[bool]:
        """Which replies an assistant must not say.

        Args:
            vectors: float32 [n, dim], of the replies as turns.
            texts: n replies.

        Returns:
            n answers.
        """
        found = self.classifiers[OFFENSIVE].probabilities(vectors, texts)[:, 1]
        least = self.facts["min_offensive"]
        return [self.is_unfit(text) or bool(p >= least) for p, text in zip(found, texts, strict=True)]

    def offensive_replies(self, texts: Sequence[str], vectors_of: Callable[[Sequence[str]], Vectors]) -> list[bool]:
        """As `offensive`, of the release's own replies: they come again, and each is judged once.

        Args:
            texts: n replies.
            vectors_of: gives float32 [m, dim] of m of them.

        Returns:
            n answers.
        """
        if new := [text for text in dict.fromkeys(texts) if text not in self._judged]:
            self._judged.update(zip(new, self.offensive(vectors_of(new), new), strict=True))
        return [self._judged[text] for text in texts]

    def is_unfit(self, text: str) -> bool:
        """Whether a reply holds a word that none may hold."""
        return self._unfit.holds(text)


def _scripts(kind: CareKind, line: str) -> Scripts:
    said = (kind.first, kind.next, kind.check)
    return Scripts(*(tuple(text.replace(SLOT, line).strip() for text in texts) for texts in said))


def _is_latin(text: str) -> bool:
    """Whether most letters of a text are Latin ones; emoji, digits and signs are no letters."""
    letters = [letter for letter in normalize(text) if letter.isalpha()]
    return not letters or sum(letter < "\u0250" for letter in letters) * 2 >= len(letters)


def fact_problems(manifest: Manifest) -> list[Problem]:
    """Check the facts that a guard is opened by.

    Args:
        manifest: of a guard bundle.

    Returns:
        What cannot be right.
    """
    facts, problems = manifest.facts, []
    for fact in (*THRESHOLDS, *({MIN_CHECK} & set(facts))):
        value = facts.get(fact)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            problems.append(Problem(f"facts: {fact}", "a number from 0 to 1", "something else"))
    if type(facts.get("care_turns")) is not int or not 0 <= facts["care_turns"] < READ:
        problems.append(Problem("facts: care_turns", f"a number from 0 to {READ - 1}", "something else"))
    if not isinstance(facts.get("locale"), str):
        problems.append(Problem("facts: locale", "a text", "something else"))
    needed = (CARE, weights_file(SENSITIVE), weights_file(OFFENSIVE))
    return problems + missing_files(manifest, needed)


def _read_care(path: Path) -> Care:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(found, ensure_ascii=False).encode()  # half a character is no text; its error is a ValueError
        return parse_care(found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FormatError(
            str(path), [Problem(path.name, "kinds, helplines, offensive", type(error).__name__)]
        ) from None


def open_part(opening: Opening) -> Guard:
    """Load the guard of a release."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    return open_guard(opening.directory, opening.manifest, vectorizer.dim)


def open_guard(directory: Path, manifest: Manifest, dim: int) -> Guard:
    """Load a guard.

    Args:
        directory: a guard bundle, its bytes verified.
        manifest: of the bundle.
        dim: length of a turn's vector.

    Returns:
        The guard.

    Raises:
        BundleError: if a file cannot be read or is not what the manifest says; names every file.
    """
    if problems := fact_problems(manifest):
        raise ConsistencyError(str(directory), problems)
    care = _read_care(directory / CARE)
    labels, classifiers, errors = labels_of(care), {}, []
    for name in (SENSITIVE, OFFENSIVE):
        try:
            classifiers[name] = read_classifier(directory, name, labels[name], dim, manifest.files)
        except BundleError as error:
            errors.append(error)
    if errors:
        raise BundleError.all_of(str(directory), errors)
    return Guard(care, classifiers, manifest.facts)


def probe(opening: Opening, guard: Guard) -> list[Problem]:
    """Encode picked examples again, and classify them."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    problems = []
    for name, texts in examples_of(guard.care).items():
        vectors = vectorizer.encode([normalize(texts[row]) for row in pick(len(texts))])
        found = ClassifierProbe(opening.directory, name)
        problems += found.problems(guard.classifiers[name], texts, vectors, opening.tolerance)
    return problems


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of texts and weights, once read."""
    del provider
    return _MEMORY_FACTOR * sum(entry.size for entry in manifest.files.values())
