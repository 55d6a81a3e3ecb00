"""Public spans: what so many people have said that it tells of nobody; the rest a model must not say.

A language model may remember what one person said. Of a reply, every word must be one that many people used; every
three neighbouring words with a number or a word for kin among them must have been used by several ("my 12 cats"
tells of somebody), and so must every eight words: what is longer, hardly two people have said. Only hashes of what
is allowed are shipped. Those of what is not would tell whoever has a sentence whether it was in the logs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from rejoinder.parts.vector_table import key_of
from rejoinder.text import words

Keys = npt.NDArray[np.uint64]

_WIDTH, _LONG = 3, 8
_NUMBERS = frozenset((
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty", "fifty",
    "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million", "billion",
))  # fmt: skip


def telling(spoken: Sequence[str], kin: frozenset[str]) -> Iterator[str]:
    """Spans that may tell of somebody: eight words, and three with a number or a word for kin.

    Args:
        spoken: words of one text, as `rejoinder.text.words` makes them; fewer than three are one span.
        kin: words for kin.

    Yields:
        The spans, words parted by spaces.
    """
    for start in range(max(1, len(spoken) - _WIDTH + 1)):
        span = spoken[start : start + _WIDTH]
        if any(word in kin or is_number(word) for word in span):
            yield " ".join(span)
    for start in range(len(spoken) - _LONG + 1):
        yield " ".join(spoken[start : start + _LONG])


def is_number(word: str) -> bool:
    """Whether a word is a number above one, or holds a digit."""
    return word in _NUMBERS or any(letter.isdigit() for letter in word)


def keys_of(spans: Iterable[str]) -> Keys:
    """Hash spans as they are shipped, uint64 [n], sorted, each once."""
    return np.unique(np.array([key_of(span) for span in spans], np.uint64))


class PublicSpans:
    """Knows words and spans that may be said."""

    def __init__(self, keys: Keys, kin: Iterable[str], never: Iterable[str] = ()) -> None:
        """Take over what is allowed.

        Args:
            keys: uint64 [n], by `keys_of`.
            kin: words for kin.
            never: words, parted by spaces, that must not be said however many people said them: "i am human".
        """
        self._keys, self._kin = frozenset(keys.tolist()), frozenset(kin)
        self._never = tuple(f" {span} " for span in never)

    def allow(self, text: str) -> bool:
        """Whether everything in a text may be said; a text without words may not."""
        spoken = words(text)
        whole = f" {' '.join(spoken)} "
        if not spoken or any(span in whole for span in self._never):
            return False
        return all(key_of(span) in self._keys for span in (*spoken, *telling(spoken, self._kin)))
