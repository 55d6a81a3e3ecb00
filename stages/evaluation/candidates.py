"""Fixed candidate lists: for each item the gold reply among 99 others, made once, with a checksum.

Every system is scored on these very lists. Negatives come from other conversations; replies that read like the
gold one are removed, since a system that picks one of them is not wrong.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from rejoinder.text import normalize, words
from stages.common.errors import DataError

Rows = npt.NDArray[np.int64]

LISTS = "lists.parquet"
POOL = "pool.parquet"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items, the pool of replies they choose from, and two lists an item.

    Attributes:
        items: one row an item: pair_id, conversation_id, context (list of turns), context_own (of each, whether by
            the one who replies), gold (pool row), random and hard (lists of pool rows without the gold one).
        pool: one row a distinct reply: text, conversations (those in which it was said).
    """

    items: pl.DataFrame
    pool: pl.DataFrame

    @property
    def checksum(self) -> str:
        """SHA-256 over the items' texts and lists and the pool's texts."""
        rows = self.items.select("pair_id", "context", "gold", "random", "hard").rows()
        document = json.dumps([rows, self.pool["text"].to_list()], ensure_ascii=False)
        return "sha256:" + hashlib.sha256(document.encode()).hexdigest()

    def save(self, directory: Path) -> None:
        """Write both tables into a new directory."""
        directory.mkdir()
        self.items.write_parquet(directory / LISTS)
        self.pool.write_parquet(directory / POOL)

    @classmethod
    def load(cls, directory: Path) -> Candidates:
        """Read what `save` wrote."""
        return cls(pl.read_parquet(directory / LISTS), pl.read_parquet(directory / POOL))


def reply_key(text: str) -> str:
    """Replies with one key count as the same reply: equal words, punctuation aside."""
    return " ".join(words(text)) or normalize(text)


def build_candidates(pairs: pl.DataFrame, *, items: int, pool_size: int, negatives: int, seed: int) -> Candidates:
    """Draw items, a pool and two lists an item.

    Args:
        pairs: the pairs of one split.
        items: items wanted; fewer if the split is smaller.
        pool_size: distinct replies in the pool, the items' own included.
        negatives: replies in a list beside the gold one.
        seed: of every draw.

    Returns:
        The lists.

    Raises:
        DataError: if the split is too small to fill every list.
    """
    rng = np.random.default_rng(seed)
    keyed = pairs.with_columns(key=pl.col("reply").map_elements(reply_key, return_dtype=pl.String))
    chosen = keyed[np.sort(rng.permutation(len(keyed))[:items])]
    pool = _pool(keyed, chosen["key"].unique(maintain_order=True).to_list(), pool_size, rng)
    row_of = {key: row for row, key in enumerate(pool["key"])}
    gold = [row_of[key] for key in chosen["key"]]
    said_in = _rows_by_conversation(pool)
    forbidden = [{*said_in[c], g} for c, g in zip(chosen["conversation_id"], gold, strict=True)]
    lists = {
        "random": _random(forbidden, len(pool), negatives, rng),
        "hard": _hard(forbidden, gold, pool["text"].to_list(), negatives),
    }
    shortest = min(len(rows) for by_item in lists.values() for rows in by_item)
    if shortest < negatives:
        raise DataError(
            f"candidate lists: expected {negatives} negatives an item, got {shortest} for some. "
            "Next: add conversations, or lower dialogues.negatives"
        )
    table = chosen.select("pair_id", "conversation_id", "context", "context_own").with_columns(
        gold=pl.Series(gold, dtype=pl.Int64),
        **{kind: pl.Series(rows) for kind, rows in lists.items()},
    )
    return Candidates(table, pool.drop("key"))


def _pool(keyed: pl.DataFrame, golds: list[str], size: int, rng: np.random.Generator) -> pl.DataFrame:
    replies = keyed.group_by("key", maintain_order=True).agg(
        text=pl.col("reply").first(), conversations=pl.col("conversation_id").unique().sort()
    )
    is_gold = replies["key"].is_in(golds)
    others = replies.filter(~is_gold)
    kept = others[np.sort(rng.permutation(len(others))[: max(0, size - len(golds))])]
    return pl.concat([replies.filter(is_gold), kept])


def _rows_by_conversation(pool: pl.DataFrame) -> dict[str, list[int]]:
    exploded = pool.with_row_index("row").select("row", "conversations").explode("conversations")
    grouped = exploded.group_by("conversations").agg("row")
    return {str(name): list(rows) for name, rows in grouped.rows()}


def _random(forbidden: list[set[int]], n: int, wanted: int, rng: np.random.Generator) -> list[list[int]]:
    lists = []
    for banned in forbidden:
        drawn = rng.choice(n, min(n, wanted + len(banned)), replace=False).tolist()
        lists.append([row for row in drawn if row not in banned][:wanted])
    return lists


def _hard(forbidden: list[set[int]], gold: list[int], texts: list[str], wanted: int) -> list[list[int]]:
    """BM25 neighbours of the gold reply: candidates worded alike, so that only the context can tell them apart."""
    scores = Bm25(texts)
    most = min(len(texts), wanted + max(map(len, forbidden)))
    neighbours = scores.nearest([texts[row] for row in gold], most)
    return [
        [int(row) for row in rows if row not in banned][:wanted]
        for rows, banned in zip(neighbours, forbidden, strict=True)
    ]


class Bm25:
    """BM25 (Lucene's variant, k1 = 1.5, b = 0.75: the defaults of the library used) over a list of texts."""

    def __init__(self, texts: list[str]) -> None:
        """Index texts.

        Args:
            texts: n texts; a text without words matches nothing.
        """
        import bm25s

        self._ranker = bm25s.BM25()
        self._ranker.index([list(words(t)) or [""] for t in texts], show_progress=False)
        self._vocabulary = self._ranker.vocab_dict
        self._size = len(texts)

    def scores(self, query: str) -> npt.NDArray[np.float32]:
        """Scores of every text for one query, float32 [n]."""
        known = [word for word in words(query) if word in self._vocabulary]
        if not known:
            return np.zeros(self._size, np.float32)
        found: npt.NDArray[np.float32] = self._ranker.get_scores(known)
        return found

    def nearest(self, queries: list[str], k: int) -> Rows:
        """Rows of the k best texts of each query, best first, ties by row; int64 [len(queries), k]."""
        rows = [np.argsort(-self.scores(query), kind="stable")[:k] for query in queries]
        return np.stack(rows).astype(np.int64)
