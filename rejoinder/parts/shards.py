"""Shards: FAISS files of vectors, mapped within limits, and checked before anybody searches them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from rejoinder.errors import BundleError, ConsistencyError, FormatError, Problem
from rejoinder.parts.arrays import Vectors, unit_rows

_MAGIC = b"IxSQ"  # FAISS's name of a scalar quantizer; other kinds nest, loop, or name files of their own
_LIMITS = threading.Lock()  # FAISS's limits are the process's, not the call's


def shard_file(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:03d}.faiss"


def write_shards(directory: Path, vectors: Vectors, shard_rows: int) -> list[int]:
    """Write fp16 inner-product shards.

    Args:
        directory: an existing directory.
        vectors: float32 [n, dim].
        shard_rows: rows of a full shard.

    Returns:
        Rows of each shard.
    """
    rows = []
    for number, start in enumerate(range(0, len(vectors), shard_rows)):
        part = np.ascontiguousarray(vectors[start : start + shard_rows])
        shard = faiss.IndexScalarQuantizer(
            vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        shard.add(part)
        faiss.write_index(shard, str(directory / shard_file(number)))
        rows.append(len(part))
    return rows


class Shards:
    """All shards of an index, mapped. Safe to share between threads."""

    def __init__(self, directory: Path, rows: Sequence[int], dim: int | None = None) -> None:
        """Map the shards; the directory's bytes must have been verified.

        Args:
            directory: holds them.
            rows: how many each must hold.
            dim: length that their vectors must have; by default all must agree.

        Raises:
            BundleError: if a file cannot be read or is not what it must be; names every file.
        """
        errors: list[BundleError] = []
        # FAISS does not keep the mapped file alive by itself: the list holds a reference to every shard.
        self._shards: list[Any] = []
        for number, count in enumerate(rows):
            try:
                self._shards.append(open_shard(directory / shard_file(number), count, dim))
                dim = self._shards[0].d
            except (FormatError, ConsistencyError) as error:
                errors.append(error)
        if errors:
            raise BundleError.all_of(str(directory), errors)
        self._starts = np.cumsum([0, *rows])

    def search(self, vectors: Vectors, k: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Find the nearest rows by inner product.

        Args:
            vectors: float32 [n, dim] queries.
            k: results wanted of each.

        Returns:
            Scores, float32 [n, m], best first, and rows, int64 [n, m]; m = min(k, all rows).
        """
        queries = np.ascontiguousarray(vectors, np.float32)
        scores, rows = [], []
        for start, shard in zip(self._starts, self._shards, strict=False):
            with _no_more_threads_than(len(queries)):
                found, local = shard.search(queries, min(k, shard.ntotal))
            scores.append(found)
            rows.append(local + start)
        score, row = np.hstack(scores), np.hstack(rows)
        best = np.argsort(-score, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(score, best, 1), np.take_along_axis(row, best, 1)

    def reconstruct(self, rows: Sequence[int]) -> Vectors:
        """Vectors as the index holds them, scaled back to unit length.

        Args:
            rows: n row numbers.

        Returns:
            float32 [n, dim].
        """
        found = []
        for row in rows:
            shard = int(np.searchsorted(self._starts, row, side="right")) - 1
            found.append(self._shards[shard].reconstruct(int(row - self._starts[shard])))
        return unit_rows(np.stack(found))


@contextmanager
def _deserialization_limits(size: int) -> Iterator[None]:
    """Let FAISS take no vector of more bytes than its file has, and run no loop that the file dictates."""
    limits = {"vector_byte": size, "loop": 1, "lattice_r2": 1}
    with _LIMITS:
        before = {name: getattr(faiss, f"get_deserialization_{name}_limit")() for name in limits}
        try:
            for name, limit in limits.items():
                getattr(faiss, f"set_deserialization_{name}_limit")(limit)
            yield
        finally:
            for name, limit in before.items():
                getattr(faiss, f"set_deserialization_{name}_limit")(limit)


@contextmanager
def _no_more_threads_than(queries: int) -> Iterator[None]:
    """Let FAISS start no thread that would have no query: it would spin, for a hundred times the search's own time.

    The number belongs to the calling thread alone (OpenMP keeps one for each), which gets its own back.
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(max(1, min(queries, before)))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def open_shard(path: Path, rows: int, dim: int | None = None) -> Any:
    """Map one shard and check that it is what the manifest says; the file's bytes must have been verified.

    Args:
        path: the shard.
        rows: how many it must hold.
        dim: length that its vectors must have, if known.

    Returns:
        A FAISS scalar quantizer.

    Raises:
        FormatError: if FAISS cannot read it within its limits, or it is another kind of index.
        ConsistencyError: if it is not what the manifest says.
    """
    with path.open("rb") as file:
        magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        raise FormatError(str(path), [Problem(f"{path.name} kind", repr(_MAGIC), repr(magic))])
    try:
        with _deserialization_limits(path.stat().st_size):
            shard = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        reason = str(error).split(": ")[-1].strip()[:200]
        raise FormatError(str(path), [Problem(path.name, "an index within FAISS's limits", reason)]) from None
    if problems := shard_problems(shard, path.name, rows, dim):
        raise ConsistencyError(str(path), problems)
    return shard


def shard_problems(shard: Any, name: str, rows: int, dim: int | None) -> list[Problem]:
    """Compare a loaded shard with what the format and the manifest say.

    Args:
        shard: as FAISS read it.
        name: of its file, for messages.
        rows: how many it must hold.
        dim: length that its vectors must have, if known.

    Returns:
        What differs.
    """
    if type(shard) is not faiss.IndexScalarQuantizer:
        return [Problem(f"{name} type", "IndexScalarQuantizer", type(shard).__name__)]
    width = 2 * shard.d  # bytes of a row of fp16
    checks = [
        ("dimension", dim if dim is not None else shard.d, shard.d),
        ("quantizer", faiss.ScalarQuantizer.QT_fp16, shard.sq.qtype),
        ("dimension of the quantizer", shard.d, shard.sq.d),
        ("metric", faiss.METRIC_INNER_PRODUCT, shard.metric_type),
        ("rows", rows, shard.ntotal),
        ("trained", True, shard.is_trained),
        ("bytes of a row", [width, width], [shard.code_size, shard.sq.code_size]),
        ("bytes of all rows", rows * width, shard.codes.size()),
        ("bytes of training", 0, shard.sq.trained.size()),
    ]
    return [Problem(f"{name} {what}", str(expected), str(got)) for what, expected, got in checks if expected != got]
