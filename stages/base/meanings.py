"""Meanings: how many people have said something near to a text, by vectors of single turns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rejoinder.parts.arrays import Vectors
from rejoinder.progress import track

_ROWS = 512  # texts at a time: bounds memory, some 250 MB at 120,000 turns


def people_near(
    texts: Vectors, turns: Vectors, senders: npt.NDArray[np.int64], cosines: Sequence[float]
) -> npt.NDArray[np.int64]:
    """Count the people who have said something near.

    Args:
        texts: float32 [n, dim], unit rows.
        turns: float32 [m, dim], unit rows: what people have said.
        senders: int64 [m], who, as numbers from 0.
        cosines: from where on something is near, for several answers at once.

    Returns:
        int64 [n, cosines], distinct senders.
    """
    order = np.argsort(senders, kind="stable")
    turns, senders = turns[order], senders[order]
    starts = np.flatnonzero(np.r_[True, senders[1:] != senders[:-1]])
    counted = np.zeros((len(texts), len(cosines)), np.int64)
    blocks = range(0, len(texts), _ROWS)
    for start in track(blocks, "base: meanings", "block"):
        # The nearest turn of every person; who has one that is near, counts.
        nearest = np.maximum.reduceat(texts[start : start + _ROWS] @ turns.T, starts, axis=1)
        for column, cosine in enumerate(cosines):
            counted[start : start + _ROWS, column] = (nearest >= cosine).sum(1)
    return counted


def distinct(vectors: Vectors, cosine: float) -> npt.NDArray[np.int64]:
    """Keep the first of texts that are near to each other.

    Args:
        vectors: float32 [n, dim], unit rows, the best first.
        cosine: from where on two are the same.

    Returns:
        int64, rows that are kept, rising.
    """
    kept: list[int] = []
    chosen = np.empty_like(vectors)
    for row, vector in enumerate(vectors):
        if not kept or float((chosen[: len(kept)] @ vector).max()) < cosine:
            chosen[len(kept)] = vector
            kept.append(row)
    return np.array(kept, np.int64)
