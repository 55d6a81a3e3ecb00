"""The vectorizer with what is known already in front: shipped tables (cold), and the latest texts (hot)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.vector_table import VectorTable, key_of
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.text import normalize

#: Bytes of memory for vectors of recent misses: some 4,600 turns at 384 dimensions.
HOT_BYTES = 8 << 20
#: What Python holds for an entry besides its text and its vector (tracemalloc over 4,000 entries: 235).
ENTRY_BYTES = 240
_COLD, _HOT, COMPUTED = "cold", "hot", "model"


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
    """A vectorizer with caches in front. Safe to share between threads."""

    def __init__(self, vectorizer: Vectorizer, cold: Sequence[VectorTable], hot_bytes: int = HOT_BYTES) -> None:
        """Put caches before a vectorizer.

        Args:
            vectorizer: encodes what misses.
            cold: shipped tables, made by the same vectorizer, asked in this order.
            hot_bytes: memory for vectors of recent misses.
        """
        self._vectorizer = vectorizer
        self._cold = tuple(cold)
        self._hot: OrderedDict[str, Vectors] = OrderedDict()
        self._free = hot_bytes
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts, computing only what no cache holds.

        Args:
            texts: n texts.

        Returns:
            Their vectors, in order, and where each came from.
        """
        canonical = [normalize(text) for text in texts]
        vectors = np.empty((len(texts), self._vectorizer.dim), np.float32)
        sources = [COMPUTED] * len(texts)
        for row, text in enumerate(canonical):
            found, sources[row] = self._look_up(text)
            if found is not None:
                vectors[row] = found
        missing = [row for row, source in enumerate(sources) if source == COMPUTED]
        if missing:
            computed = [canonical[row] for row in missing]
            vectors[missing] = self._vectorizer.encode(computed)
            self._remember(computed, vectors[missing])
        return Encoded(vectors, tuple(sources))

    def _look_up(self, canonical: str) -> tuple[Vectors | None, str]:
        key = key_of(canonical)
        for table in self._cold:
            if (cold := table.get_key(key)) is not None:
                return cold, _COLD
        with self._lock:
            hot = self._hot.get(canonical)
            if hot is None:
                return None, COMPUTED
            self._hot.move_to_end(canonical)
            return hot, _HOT

    def _remember(self, canonical: Sequence[str], vectors: Vectors) -> None:
        with self._lock:
            for text, vector in zip(canonical, vectors, strict=True):
                if (old := self._hot.pop(text, None)) is not None:
                    self._free += _bytes_of(text, old)
                self._hot[text] = vector.copy()  # a view would keep the vectors of the whole call alive
                self._free -= _bytes_of(text, vector)
            while self._free < 0:
                self._free += _bytes_of(*self._hot.popitem(last=False))


def dearest(sources: Sequence[str]) -> str:
    """Tell the dearest of where vectors came from: "model" before "hot" before "cold"; empty if there are none."""
    return next((source for source in (COMPUTED, _HOT, _COLD) if source in sources), "")


def _bytes_of(text: str, vector: Vectors) -> int:
    return len(text.encode()) + vector.nbytes + ENTRY_BYTES
