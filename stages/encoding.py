"""Encode many texts with the exported vectorizer, showing how long it will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rejoinder.progress import progress

if TYPE_CHECKING:
    from rejoinder.parts.arrays import Vectors
    from rejoinder.parts.vectorizer import Vectorizer

_CHUNK = 1024  # texts between two moves of a bar


def encode_all(vectorizer: Vectorizer, texts: list[str], label: str) -> Vectors:
    """Encode texts.

    Args:
        vectorizer: the exported one.
        texts: n texts, at least one.
        label: names the work, where progress is shown.

    Returns:
        float32 [n, dim], in the order of `texts`.
    """
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    vectors = np.empty((len(texts), vectorizer.dim), np.float32)
    with progress(label, "text", len(texts)) as advance:
        for start in range(0, len(order), _CHUNK):
            rows = order[start : start + _CHUNK]
            vectors[rows] = vectorizer.encode([texts[row] for row in rows])
            advance(len(rows))
    return vectors
