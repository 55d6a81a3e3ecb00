"""Phrase cache: phrase -> vector, cold (a mapped file shipped with the release) and hot (a bounded LRU).

The cold part is a sorted array of 64-bit keys beside a matrix of vectors, both mapped: opening costs no memory and
a look-up is one binary search. Phrases lie in a text file in key order; only the probes read it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rejoinder.errors import BundleError, ConsistencyError, FormatError, Problem
from rejoinder.manifest import Manifest
from rejoinder.parts import VECTORIZER
from rejoinder.parts.arrays import Vectors, map_array, unit_rows
from rejoinder.parts.probes import pick_rows, stored_vectors_problems
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening

KEYS = "keys.npy"
VECTORS = "vectors.npy"
PHRASES_FILE = "phrases.txt"
_COMPUTED = "model"  # source of a vector that neither part of the cache holds
HOT_SIZE = 4096  # vectors; 3 MB at 192 dimensions


def key_of(text: str) -> int:
    """64-bit key of a text's canonical form (BLAKE2b, little-endian)."""
    return int.from_bytes(hashlib.blake2b(normalize(text).encode(), digest_size=8).digest(), "little")


def write_cache(directory: Path, phrases: Sequence[str], vectors: Vectors) -> None:
    """Write the cold part.

    Args:
        directory: an existing directory.
        phrases: n distinct canonical phrases.
        vectors: float32 [n, dim], their vectors.

    Raises:
        ValueError: if two phrases share a key.
    """
    keys = np.array([key_of(phrase) for phrase in phrases], np.uint64)
    order = np.argsort(keys, kind="stable")
    if len(np.unique(keys)) != len(keys):
        raise ValueError("two phrases share a key: expected distinct canonical phrases")
    np.save(directory / KEYS, keys[order])
    np.save(directory / VECTORS, vectors[order].astype(np.float16))
    (directory / PHRASES_FILE).write_text("".join(phrases[row] + "\n" for row in order), encoding="utf-8")


class PhraseCache:
    """The cold part of the cache, mapped read-only."""

    def __init__(self, directory: Path, phrases: int | None = None, dim: int | None = None) -> None:
        """Map the files; the directory's bytes must have been verified.

        Args:
            directory: a verified cache bundle.
            phrases: how many it must hold, if known.
            dim: length that its vectors must have, if known.

        Raises:
            BundleError: if an array cannot be read or is not of the right type and shape; names every file.
        """
        self._directory = directory
        errors: list[BundleError] = []
        arrays = []
        for name, dtype, width in ((KEYS, np.uint64, ()), (VECTORS, np.float16, (dim,))):
            try:
                arrays.append(map_array(directory / name, dtype, (phrases, *width)))
                phrases = len(arrays[0])
            except (FormatError, ConsistencyError) as error:
                errors.append(error)
        if errors:
            raise BundleError.all_of(str(directory), errors)
        self.keys: npt.NDArray[np.uint64]
        self.keys, self._vectors = arrays

    def __len__(self) -> int:
        return len(self.keys)

    def get(self, text: str) -> Vectors | None:
        """Look a text up.

        Args:
            text: any text.

        Returns:
            float32 [dim] of unit length, or None on a miss.
        """
        key = np.uint64(key_of(text))
        row = int(np.searchsorted(self.keys, key))
        if row == len(self.keys) or self.keys[row] != key:
            return None
        vector: Vectors = self.vectors([row])[0]
        return vector

    def vectors(self, rows: Sequence[int]) -> Vectors:
        """Vectors by row, scaled back to unit length.

        Args:
            rows: n row numbers.

        Returns:
            float32 [n, dim].
        """
        return unit_rows(np.asarray(self._vectors[list(rows)], np.float32))

    def phrases(self) -> list[str]:
        """All phrases in row order; reads the whole file."""
        return (self._directory / PHRASES_FILE).read_text(encoding="utf-8").split("\n")[:-1]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Vectors and where they came from.

    Attributes:
        vectors: float32 [n, dim], rows of unit length.
        sources: n times "cold", "hot" or "model".
    """

    vectors: Vectors
    sources: tuple[str, ...]


class CachedVectorizer:
    """A vectorizer with the cache in front. Safe to share between threads."""

    def __init__(self, vectorizer: Vectorizer, cache: PhraseCache, hot_size: int = HOT_SIZE) -> None:
        """Put a cache before a vectorizer.

        Args:
            vectorizer: encodes what misses.
            cache: the cold part, made by the same vectorizer.
            hot_size: vectors kept of recent misses.
        """
        self._vectorizer = vectorizer
        self._cold = cache
        self._hot: OrderedDict[str, Vectors] = OrderedDict()
        self._hot_size = hot_size
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts, computing only what neither part of the cache holds.

        Args:
            texts: n texts.

        Returns:
            Their vectors, in order, and where each came from.
        """
        vectors = np.empty((len(texts), self._vectorizer.dim), np.float32)
        sources = [_COMPUTED] * len(texts)
        for row, text in enumerate(texts):
            found, sources[row] = self._look_up(text)
            if found is not None:
                vectors[row] = found
        missing = [row for row, source in enumerate(sources) if source == _COMPUTED]
        if missing:
            vectors[missing] = self._vectorizer.encode([texts[row] for row in missing])
            self._remember([texts[row] for row in missing], vectors[missing])
        return Encoded(vectors, tuple(sources))

    def _look_up(self, text: str) -> tuple[Vectors | None, str]:
        cold = self._cold.get(text)
        if cold is not None:
            return cold, "cold"
        with self._lock:
            hot = self._hot.get(normalize(text))
            if hot is None:
                return None, _COMPUTED
            self._hot.move_to_end(normalize(text))
            return hot, "hot"

    def _remember(self, texts: Sequence[str], vectors: Vectors) -> None:
        with self._lock:
            for text, vector in zip(texts, vectors, strict=True):
                self._hot[normalize(text)] = vector
            while len(self._hot) > self._hot_size:
                self._hot.popitem(last=False)


def open_part(opening: Opening) -> PhraseCache:
    """Map the phrase cache of a release."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    return PhraseCache(opening.directory, opening.manifest.facts["phrases"], vectorizer.dim)


def probe(opening: Opening, cache: PhraseCache) -> list[Problem]:
    """Look rows up and encode them again, picked by the bundle's digest."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    phrases = cache.phrases()
    rows = pick_rows(opening.manifest.digest, len(phrases))
    fresh = vectorizer.encode([phrases[row] for row in rows])
    lost = [row for row in rows if cache.get(phrases[row]) is None]
    problems = [Problem("cache keys", "every phrase found", f"misses for rows {lost}")] if lost else []
    return problems + stored_vectors_problems("cache vectors", fresh, cache.vectors(rows), opening.tolerance)


def memory(manifest: Manifest, provider: str | None) -> int:
    """Nothing: all of it is mapped, and mapped files take no memory that the machine could not have back."""
    del manifest, provider
    return 0
