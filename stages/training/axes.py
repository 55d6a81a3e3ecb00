"""Principal axes: where a compressing projection starts."""

from __future__ import annotations

import numpy as np

from rejoinder.parts.arrays import Vectors


def principal_axes(vectors: Vectors, dim: int) -> Vectors:
    """The directions that hold most of the vectors' length, uncentred.

    Centring would cost recall: the index ranks by inner product, which a shift of the origin changes.

    Args:
        vectors: float32 [n, width].
        dim: directions wanted.

    Returns:
        float32 [dim, width], orthonormal rows, strongest first.
    """
    _, axes = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    return np.ascontiguousarray(axes[:, ::-1][:, :dim].T, np.float32)
