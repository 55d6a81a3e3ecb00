"""Reply index: FAISS shards, opened memory-mapped, the replies their rows stand for, and these as turns.

What the bot has said comes back as a turn of the next context; its vector is shipped, so that no model is needed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
import numpy.typing as npt

from rejoinder.errors import BundleError, ConsistencyError, FormatError, Problem
from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.arrays import Vectors, unit_rows
from rejoinder.parts.probes import pick_rows, stored_vectors_problems
from rejoinder.parts.vector_table import TableFiles, VectorTable, write_table
from rejoinder.release.manifest import Manifest
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.heads import Heads
    from rejoinder.parts.opening import Opening
    from rejoinder.parts.vectorizer import Vectorizer

REPLIES_FILE = "replies.jsonl"
TURNS = TableFiles("keys.npy", "turns.npy")
_MEMORY_FACTOR = 4  # bytes of memory per byte of replies.jsonl; the shards are mapped
_MAGIC = b"IxSQ"  # FAISS's name of a scalar quantizer; other kinds nest, loop, or name files of their own
_LIMITS = threading.Lock()  # FAISS's limits are the process's, not the call's


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


def write_turns(directory: Path, texts: Sequence[str], vectors: Vectors) -> None:
    """Write the vectors that replies have as turns.

    Args:
        directory: an existing directory.
        texts: n replies.
        vectors: float32 [n, turn_dim], their vectors by the vectorizer.
    """
    first = list({normalize(text): row for row, text in reversed(list(enumerate(texts)))}.values())
    write_table(directory, [texts[row] for row in first], vectors[first], TURNS)


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
    (directory / REPLIES_FILE).write_text("".join(lines), encoding="utf-8")
    return rows


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


def has_turns(manifest: Manifest) -> bool:
    """Whether an index ships the vectors of its replies as turns: one that was made with heads does."""
    return TURNS.vectors in manifest.files


def fact_problems(manifest: Manifest) -> list[Problem]:
    """Check the facts that an index is opened by.

    Args:
        manifest: of an index bundle.

    Returns:
        What cannot be right.
    """
    rows = manifest.facts.get("shard_rows")
    if not isinstance(rows, list) or not rows or not all(type(n) is int and n > 0 for n in rows):
        return [Problem("facts: shard_rows", "a positive number for each shard", "something else")]
    needed = [REPLIES_FILE, *(shard_file(number) for number in range(len(rows)))]
    problems = [Problem(name, "a file of the bundle", "nothing") for name in needed if name not in manifest.files]
    for fact in ("context_turns", "candidates"):
        if fact in manifest.facts and not (type(manifest.facts[fact]) is int and manifest.facts[fact] > 0):
            problems.append(Problem(f"facts: {fact}", "a positive number", "something else"))
    return problems


_PAIRS = json.JSONDecoder(object_pairs_hook=list)  # `json.loads` would make one for every line


def _reply(line: str) -> IndexedReply:
    pairs: list[tuple[str, Any]] = _PAIRS.decode(line)
    reply = IndexedReply(**dict(pairs))
    if len(pairs) != 3 or not (type(reply.text) is str and type(reply.senders) is type(reply.count) is int):
        raise TypeError("a key twice, or a value of another type")
    return reply


def read_replies(path: Path, rows: int) -> list[IndexedReply]:
    """Read the replies.

    Args:
        path: replies.jsonl, its bytes verified.
        rows: how many it must hold.

    Returns:
        The replies, in the order of the index's rows.

    Raises:
        FormatError: if a line is no reply.
        ConsistencyError: if there are more or fewer of them.
    """
    try:
        replies = [_reply(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError(str(path), [Problem(path.name, "a reply a line", type(error).__name__)]) from None
    if len(replies) != rows:
        raise ConsistencyError(str(path), [Problem(f"{path.name} rows", str(rows), str(len(replies)))])
    return replies


class ReplyIndex:
    """An opened index. Safe to share between threads."""

    def __init__(
        self, directory: Path, manifest: Manifest, dim: int | None = None, turn_dim: int | None = None
    ) -> None:
        """Map the shards; the directory's bytes must have been verified.

        Args:
            directory: a verified index bundle.
            manifest: its manifest.
            dim: length that its vectors must have; by default all shards must agree.
            turn_dim: length that the replies' vectors as turns must have, if known.

        Raises:
            BundleError: if a file cannot be read or is not what the manifest says; names every file.
        """
        if problems := fact_problems(manifest):
            raise ConsistencyError(str(directory), problems)
        rows: list[int] = manifest.facts["shard_rows"]
        errors: list[BundleError] = []
        # FAISS does not keep the mapped file alive by itself: the list holds a reference to every shard.
        self._shards: list[Any] = []
        for number, count in enumerate(rows):
            try:
                self._shards.append(open_shard(directory / shard_file(number), count, dim))
                dim = self._shards[0].d
            except (FormatError, ConsistencyError) as error:
                errors.append(error)
        try:
            self.replies = read_replies(directory / REPLIES_FILE, sum(rows))
        except (FormatError, ConsistencyError) as error:
            errors.append(error)
        self.turns: VectorTable | None = None
        try:
            if has_turns(manifest):
                self.turns = VectorTable(directory, TURNS, dim=turn_dim)
        except BundleError as error:
            errors.append(error)
        if errors:
            raise BundleError.all_of(str(directory), errors)
        self._starts = np.cumsum([0, *rows])
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
            with _no_more_threads_than(len(queries)):
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
        return unit_rows(np.stack(found))


def open_part(opening: Opening) -> ReplyIndex:
    """Map the reply index of a release."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    heads: Heads | None = opening.opened.get(HEADS.bundle)
    dim = vectorizer.dim if heads is None else heads.dim
    return ReplyIndex(opening.directory, opening.manifest, dim, vectorizer.dim)


def probe(opening: Opening, index: ReplyIndex) -> list[Problem]:
    """Encode rows again, picked by the bundle's digest."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    heads: Heads | None = opening.opened.get(HEADS.bundle)
    rows = pick_rows(opening.manifest.digest, len(index))
    texts = [index.replies[row].text for row in rows]
    turns = fresh = vectorizer.encode(texts)
    problems = []
    if index.turns is not None:
        problems += _turn_problems(index.turns, texts, turns, opening.tolerance)
    if heads is not None:
        fresh = heads.replies(turns)
        if index.turns is None:
            problems += [Problem("index turns", "the replies' vectors as turns, beside heads", "none")]
    stored = index.reconstruct(rows)
    return problems + stored_vectors_problems("index vectors", fresh, stored, opening.tolerance)


def _turn_problems(table: VectorTable, texts: Sequence[str], fresh: Vectors, tolerance: float) -> list[Problem]:
    stored = [table.get(text) for text in texts]
    lost = [row for row, vector in enumerate(stored) if vector is None]
    if lost:
        return [Problem("index turns", "every reply found", f"misses for {len(lost)} of {len(texts)}")]
    return stored_vectors_problems("index turns", fresh, np.stack([v for v in stored if v is not None]), tolerance)


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of the replies' texts, once read; the shards are mapped."""
    del provider
    return _MEMORY_FACTOR * manifest.files[REPLIES_FILE].size
