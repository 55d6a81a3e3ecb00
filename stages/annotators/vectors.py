"""Vectors of labelled turns: those of the logs are known, the others are encoded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.text import normalize
from stages.common.turn_vectors import TurnVectors


def vectors_of(texts: Sequence[str], vectorizer: Vectorizer, known: TurnVectors) -> Vectors:
    """Look vectors up, and make what is missing.

    Args:
        texts: n turns.
        vectorizer: the exported one.
        known: its vectors of all turns of the logs.

    Returns:
        float32 [n, dim].
    """
    rows = known.table.rows_of(list(texts))
    found = np.empty((len(texts), vectorizer.dim), np.float32)
    stored = rows >= 0
    if stored.any():
        found[stored] = known.table.vectors(rows[stored])
    if not stored.all():
        new = [normalize(text) for text, is_stored in zip(texts, stored, strict=True) if not is_stored]
        found[~stored] = vectorizer.encode(new)
    return found
