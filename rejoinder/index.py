"""Reply index: FAISS shards, opened memory-mapped, and the replies their rows stand for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from rejoinder.manifest import Manifest
from rejoinder.vectorizer import Vectors

REPLIES = "replies.jsonl"
_MAX_VECTOR_BYTES = 8 << 30  # of one shard; FAISS's own default is far above what a shard may hold


@dataclass(frozen=True, slots=True)
class IndexedReply:
    """One vetted reply.

    Attributes:
        text: as it is said.
        senders: distinct people who said it.
        count: how often it was said.
    """

    text: str
    senders: int
    count: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result: a row of the index and its inner product with the query."""

    row: int
    score: float
    reply: IndexedReply


def shard_file(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:03d}.faiss"


def write_index(directory: Path, replies: Sequence[IndexedReply], vectors: Vectors, shard_rows: int) -> list[int]:
    """Write fp16 inner-product shards and the replies.

    Args:
        directory: an existing directory.
        replies: n replies.
        vectors: float32 [n, dim], their vectors.
        shard_rows: rows of a full shard.

    Returns:
        Rows of each shard.
    """
    rows = []
    for number, start in enumerate(range(0, len(replies), shard_rows)):
        part = np.ascontiguousarray(vectors[start : start + shard_rows])
        shard = faiss.IndexScalarQuantizer(
            vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        shard.add(part)
        faiss.write_index(shard, str(directory / shard_file(number)))
        rows.append(len(part))
    lines = (json.dumps({"text": r.text, "senders": r.senders, "count": r.count}) + "\n" for r in replies)
    (directory / REPLIES).write_text("".join(lines), encoding="utf-8")
    return rows


class ReplyIndex:
    """An opened index. Safe to share between threads."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        """Map the shards; the directory's bytes must have been verified.

        Args:
            directory: a verified index bundle.
            manifest: its manifest.
        """
        faiss.set_deserialization_vector_byte_limit(_MAX_VECTOR_BYTES)
        rows: list[int] = manifest.facts["shard_rows"]
        # FAISS does not keep the mapped file alive by itself: the list holds a reference to every shard.
        self._shards = [
            faiss.read_index(str(directory / shard_file(n)), faiss.IO_FLAG_MMAP_IFC) for n in range(len(rows))
        ]
        self._starts = np.cumsum([0, *rows])
        lines = (directory / REPLIES).read_text(encoding="utf-8").splitlines()
        self.replies = [IndexedReply(**json.loads(line)) for line in lines]
        self.facts: dict[str, Any] = dict(manifest.facts)

    def __len__(self) -> int:
        return len(self.replies)

    def search(self, vectors: Vectors, k: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Find the nearest rows by inner product.

        Args:
            vectors: float32 [n, dim] queries.
            k: results wanted of each.

        Returns:
            Scores, float32 [n, m], best first, and rows, int64 [n, m]; m = min(k, len(self)).
        """
        queries = np.ascontiguousarray(vectors, np.float32)
        scores, rows = [], []
        for start, shard in zip(self._starts, self._shards, strict=False):
            found, local = shard.search(queries, min(k, shard.ntotal))
            scores.append(found)
            rows.append(local + start)
        score, row = np.hstack(scores), np.hstack(rows)
        best = np.argsort(-score, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(score, best, 1), np.take_along_axis(row, best, 1)

    def nearest(self, vector: Vectors, k: int) -> list[Hit]:
        """The nearest replies to one vector, best first.

        Args:
            vector: float32 [dim].
            k: results wanted.

        Returns:
            At most k hits.
        """
        scores, rows = self.search(vector[None], k)
        return [Hit(int(r), float(s), self.replies[r]) for s, r in zip(scores[0], rows[0], strict=True)]

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
        vectors = np.stack(found)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
