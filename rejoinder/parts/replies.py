"""Reply index: the replies, the shards of vectors that find them, and their vectors as turns.

What the bot has said comes back as a turn of the next context; its vector is shipped, so that no model is needed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.errors import BundleError, ConsistencyError, FormatError, Problem
from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.probes import pick_rows, stored_vectors_problems
from rejoinder.parts.shards import Shards, shard_file, write_shards
from rejoinder.parts.vector_table import TableFiles, VectorTable, write_table
from rejoinder.release.manifest import Manifest, missing_files
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.heads import Heads
    from rejoinder.parts.opening import Opening
    from rejoinder.parts.vectorizer import Vectorizer

REPLIES_FILE = "replies.jsonl"
TURNS = TableFiles("keys.npy", "turns.npy")
_MEMORY_FACTOR = 4  # bytes of memory per byte of replies.jsonl; the shards are mapped


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
    lines = (json.dumps({"text": r.text, "senders": r.senders, "count": r.count}) + "\n" for r in replies)
    (directory / REPLIES_FILE).write_text("".join(lines), encoding="utf-8")
    return write_shards(directory, vectors, shard_rows)


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
    problems = missing_files(manifest, needed)
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
    reply.text.encode()  # half a character is no text; UnicodeEncodeError is a ValueError
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
        try:
            self._shards = Shards(directory, rows, dim)
        except BundleError as error:
            errors.append(error)
        try:
            self.replies = read_replies(directory / REPLIES_FILE, sum(rows))
        except (FormatError, ConsistencyError) as error:
            errors.append(error)
        self.turns: VectorTable | None = None
        try:
            if has_turns(manifest):
                self.turns = VectorTable(directory, TURNS, dim=turn_dim)
                if len(self.turns) > sum(rows):  # of equal spellings there is one
                    problem = Problem(TURNS.keys, f"at most {sum(rows)} replies", str(len(self.turns)))
                    errors.append(ConsistencyError(str(directory), [problem]))
        except BundleError as error:
            errors.append(error)
        if errors:
            raise BundleError.all_of(str(directory), errors)
        self.facts: dict[str, Any] = dict(manifest.facts)

    def __len__(self) -> int:
        return len(self.replies)

    def search(self, vectors: Vectors, k: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The scores and rows nearest to some vectors, as `Shards.search` finds them."""
        return self._shards.search(vectors, k)

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
        """Vectors by row, as `Shards.reconstruct` gives them back."""
        return self._shards.reconstruct(rows)


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
    fresh, stored = vectorizer.encode(texts), index.reconstruct(rows)
    if heads is None and index.turns is None:
        return stored_vectors_problems("index vectors", fresh, stored, opening.tolerance)
    if heads is None or index.turns is None:
        return [Problem("index turns", "the replies' vectors as turns, beside heads", "one without the other")]
    found = [vector for text in texts if (vector := index.turns.get(text)) is not None]
    if len(found) < len(texts):
        missed = len(texts) - len(found)
        return [Problem("index turns", "every reply found", f"misses for {missed} of {len(texts)}")]
    turns = np.stack(found)
    # By way of the shipped turns: a form whose vectors come less near loosens the first comparison alone.
    return [
        *stored_vectors_problems("index turns", fresh, turns, opening.tolerance),
        *stored_vectors_problems("index vectors", heads.replies(turns), stored, 0.0),
    ]


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of the replies' texts, once read; the shards are mapped."""
    del provider
    return _MEMORY_FACTOR * manifest.files[REPLIES_FILE].size
