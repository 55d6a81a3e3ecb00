"""n-grams of a text, hashed: what a turn's vector blurs, slips and slang among it, a classifier may still read."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from math import sqrt

import numpy as np
import numpy.typing as npt

from rejoinder.text import normalize, words_of

#: Buckets of the hash; CRC-32 is the same on every machine.
BUCKETS = 1 << 14
_WORDS, _CHARACTERS = (1, 2, 3), (2, 3, 4)
_MOST_WORDS = 64  # of a turn, from its end: bounds the time that one takes
_APOSTROPHES = str.maketrans("", "", "'\u2019`\u00b4")


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a text as people type them: folded, without apostrophes ("don't" is "dont")."""
    return words_of(normalize(text).translate(_APOSTROPHES))


def ngrams(text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Hash one to three words in a row, and two to four characters of a word with its ends.

    Args:
        text: any text; of a long one the last words count.

    Returns:
        int64 [n], distinct buckets; float32 [n], their weights: each of the two sorts of unit length.
    """
    found = plain_words(text)[-_MOST_WORDS:]
    buckets: Counter[int] = Counter()
    for grams in (_of_words(found), _of_characters(found)):
        counts = Counter(zlib.crc32(gram.encode()) % BUCKETS for gram in grams)
        length = sqrt(sum(count * count for count in counts.values())) or 1.0
        for bucket, count in counts.items():
            buckets[bucket] += count / length  # type: ignore[assignment]
    size = len(buckets)
    return np.fromiter(buckets, np.int64, size), np.fromiter(buckets.values(), np.float32, size)


def _of_words(found: tuple[str, ...]) -> Iterator[str]:
    for n in _WORDS:
        yield from (" ".join(found[start : start + n]) for start in range(len(found) - n + 1))


def _of_characters(found: tuple[str, ...]) -> Iterator[str]:
    for word in found:
        framed = f"_{word}_"
        for n in _CHARACTERS:
            yield from (framed[start : start + n] for start in range(len(framed) - n + 1))
