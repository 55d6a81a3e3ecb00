"""n-grams of a text, hashed: what a turn's vector blurs, slips and slang among it, a classifier may still read."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
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


@lru_cache(32)  # of one answer: the guard and the router read the same turns
def ngrams(text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Hash one to three words in a row, and two to four characters of a word with its ends.

    Args:
        text: any text; of a long one the last words count.

    Returns:
        int64 [n], distinct buckets; float32 [n], their weights: each of the two sorts of unit length.
    """
    found = plain_words(text)[-_MOST_WORDS:]
    weights: dict[int, float] = {}
    for hashed in (list(_of_words(found)), list(chain.from_iterable(map(_of_characters, found)))):
        counts = Counter(hashed)
        length = sqrt(sum(count * count for count in counts.values()))
        for bucket, count in counts.items():
            weights[bucket] = weights.get(bucket, 0.0) + count / length
    size = len(weights)
    buckets, values = np.fromiter(weights, np.int64, size), np.fromiter(weights.values(), np.float32, size)
    for array in (buckets, values):
        array.setflags(write=False)
    return buckets, values


def _bucket(gram: str) -> int:
    return zlib.crc32(gram.encode()) % BUCKETS


def _of_words(found: tuple[str, ...]) -> Iterator[int]:
    for n in _WORDS:
        yield from (_bucket(" ".join(found[start : start + n])) for start in range(len(found) - n + 1))


@lru_cache(1 << 13)  # words come again; 2 MB when full
def _of_characters(word: str) -> tuple[int, ...]:
    framed = f"_{word}_"
    starts = ((n, start) for n in _CHARACTERS for start in range(len(framed) - n + 1))
    return tuple(_bucket(framed[start : start + n]) for n, start in starts)
