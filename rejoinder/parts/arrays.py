"""Arrays: vectors in memory, and .npy files that are mapped and checked before anybody uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rejoinder.errors import ConsistencyError, FormatError, Problem

Vectors = npt.NDArray[np.float32]

_MAX_HEADER_BYTES = 4096  # of a .npy file; numpy writes 128


def map_array(path: Path, dtype: type[np.generic], shape: tuple[int | None, ...]) -> npt.NDArray[Any]:
    """Map an array read-only, and check what it is before anybody uses it.

    Args:
        path: a .npy file, its bytes verified.
        dtype: the type it must have.
        shape: the shape it must have; None fits any length.

    Returns:
        The array.

    Raises:
        FormatError: if the file is no .npy file of plain numbers.
        ConsistencyError: if its type or shape is another.
    """
    try:
        found = np.lib.format.open_memmap(path, mode="r", max_header_size=_MAX_HEADER_BYTES)
    except Exception as error:  # numpy's reader of headers raises what its parts raise, tokenize's errors among it
        raise FormatError(str(path), [Problem(path.name, "a .npy file", type(error).__name__)]) from None
    if path.stat().st_size != found.offset + found.nbytes:  # the header says where its own end is
        raise FormatError(str(path), [Problem(path.name, "an array that fills the file", "other bytes beside it")])
    wanted = tuple("n" if length is None else length for length in shape)
    fits = len(found.shape) == len(shape) and all(w in (None, g) for w, g in zip(shape, found.shape, strict=True))
    if found.dtype != np.dtype(dtype) or not fits or not found.flags.c_contiguous:
        got = f"{found.dtype} {found.shape}" + ("" if found.flags.c_contiguous else " by columns")
        raise ConsistencyError(str(path), [Problem(path.name, f"{np.dtype(dtype)} {wanted}", got)])
    return found


def cosines(a: Vectors, b: Vectors) -> npt.NDArray[np.float64]:
    """Cosine of matching rows, computed in float64.

    Args:
        a: float32 [n, dim].
        b: float32 [n, dim].

    Returns:
        float64 [n]; NaN where a row is all zeros.
    """
    left, right = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sum(left * right, axis=1) / lengths)


def worst_distance(a: Vectors, b: Vectors) -> float:
    """Largest 1 - cos between matching rows, each float32 [n, dim]."""
    return float((1 - cosines(a, b)).max())


def unit_rows(vectors: npt.NDArray[Any]) -> Vectors:
    """Scale rows to unit length.

    Args:
        vectors: float [n, dim], stored in fp16 as a rule.

    Returns:
        float32 [n, dim].
    """
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
