"""Vector table: text -> vector, two mapped arrays; no text lies in it.

A sorted array of 64-bit keys beside a matrix of vectors: opening costs no memory, a look-up is one binary search.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rejoinder.errors import BundleError, ConsistencyError, FormatError
from rejoinder.parts.arrays import Vectors, map_array, unit_rows
from rejoinder.text import normalize


@dataclass(frozen=True, slots=True)
class TableFiles:
    """Names of a table's two files in its directory."""

    keys: str
    vectors: str


def key_of(canonical: str) -> int:
    """64-bit key of a text in canonical form (BLAKE2b, little-endian)."""
    return int.from_bytes(hashlib.blake2b(canonical.encode(), digest_size=8).digest(), "little")


def _keys_of(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    return np.array([key_of(normalize(text)) for text in texts], np.uint64)


def write_table(
    directory: Path, texts: Sequence[str], vectors: Vectors, files: TableFiles
) -> npt.NDArray[np.int64]:
    """Write a table.

    Args:
        directory: an existing directory.
        texts: n texts of different canonical forms.
        vectors: float32 [n, dim], their vectors.
        files: what the files are called.

    Returns:
        int64 [n], which text each row of the table stands for.

    Raises:
        ValueError: if two texts share a key.
    """
    keys = _keys_of(texts)
    order = np.argsort(keys, kind="stable")
    if len(np.unique(keys)) != len(keys):
        raise ValueError("two texts share a key: expected distinct canonical texts")
    np.save(directory / files.keys, keys[order])
    np.save(directory / files.vectors, vectors[order].astype(np.float16))
    return order


class VectorTable:
    """A table, mapped read-only."""

    def __init__(self, directory: Path, files: TableFiles, rows: int | None = None, dim: int | None = None) -> None:
        """Map the files; the directory's bytes must have been verified.

        Args:
            directory: holds them.
            files: what they are called.
            rows: how many it must hold, if known.
            dim: length that its vectors must have, if known.

        Raises:
            BundleError: if an array cannot be read or is not of the right type and shape; names every file.
        """
        errors: list[BundleError] = []
        arrays = []
        for name, dtype, width in ((files.keys, np.uint64, ()), (files.vectors, np.float16, (dim,))):
            try:
                arrays.append(map_array(directory / name, dtype, (rows, *width)))
                rows = len(arrays[0])
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
        return self.get_key(key_of(normalize(text)))

    def get_key(self, key: int) -> Vectors | None:
        """Look a key up, as `get` does a text."""
        row = int(np.searchsorted(self.keys, np.uint64(key)))
        if row == len(self.keys) or int(self.keys[row]) != key:
            return None
        vector: Vectors = self.vectors([row])[0]
        return vector

    def rows_of(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Look many texts up.

        Args:
            texts: n texts.

        Returns:
            int64 [n], the row of each; -1 where the table does not hold it.
        """
        keys = _keys_of(texts)
        rows = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[rows] == keys, rows, -1).astype(np.int64)

    def vectors(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Vectors:
        """Vectors by row, scaled back to unit length.

        Args:
            rows: n row numbers.

        Returns:
            float32 [n, dim].
        """
        return unit_rows(self.stored(rows))

    def stored(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Vectors:
        """Vectors by row as they lie in the file, float32 [n, dim]: written again, they are the same bytes."""
        return np.asarray(self._vectors[np.asarray(rows, np.int64)], np.float32)
