"""Vectors of what may be said, as turns: shipped with the release, or made with this answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rejoinder.answer.state import State
from rejoinder.parts.arrays import Vectors


def vectors_of(state: State, texts: Sequence[str], dim: int) -> Vectors:
    """Look up the vectors of texts that people said, or the model for this answer; nothing is encoded.

    Args:
        state: of the answer.
        texts: n of them.
        dim: length of a turn's vector.

    Returns:
        float32 [n, dim], rows of unit length; zeros where there is none, as in releases without such a table.
    """
    vectors, table = np.zeros((len(texts), dim), np.float32), state.release.index.turns
    if table is not None and texts:
        rows = table.rows_of(texts)
        vectors[rows >= 0] = table.vectors(rows[rows >= 0])
    for row, text in enumerate(texts):
        if text in state.made:
            vectors[row] = state.made[text]
    return vectors
