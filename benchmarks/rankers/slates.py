"""Slates: contexts with the gold reply before others, the same for every ranker; and what rankers read of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.heads import Contexts, Heads, open_heads
from rejoinder.parts.opened import open_model
from rejoinder.parts.tokens import open_tokenizer, token_ids
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.release.manifest import read_manifest
from rejoinder.release.tokenizer_file import TOKENIZER
from stages.annotators.vectors import vectors_of
from stages.common.turn_vectors import TurnVectors
from stages.evaluation.candidates import Candidates
from stages.evaluation.slates import fixed_rows
from stages.ranker.slates import drawn_pairs, worded_alike

Rows = npt.NDArray[np.int64]
#: Tokens that are read of a context and of a reply, as the published baseline does.
CONTEXT_TOKENS, REPLY_TOKENS = 60, 20
#: Of a slate to learn from: replies worded like the gold one, and any.
ALIKE, ANY = 6, 6
COLUMNS = [
    "pair_id",
    "split",
    "source",
    "sender",
    "conversation_id",
    "context",
    "context_own",
    "reply",
    "reaction",
]
_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class World:
    """What texts are turned into: vectors of turns, contexts and replies by the heads, tokens."""

    vectorizer: Vectorizer
    turns: TurnVectors
    heads: Heads
    tokenizer: Path

    @classmethod
    def of_build(cls, build: Path) -> World:
        """Open what a build made."""
        vectorizer, _ = open_model(build / "export" / VECTORIZER.bundle)
        bundle = build / HEADS.name / HEADS.bundle
        heads = open_heads(bundle, read_manifest(bundle), vectorizer.dim)
        known = TurnVectors(build / "turns", vectorizer.id)
        return cls(vectorizer, known, heads, build / "export" / VECTORIZER.bundle / TOKENIZER)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Of turns, known or not, float32 [n, turn_dim]."""
        return vectors_of(texts, self.vectorizer, self.turns)


@dataclass(frozen=True, eq=False)
class Slates:
    """n slates of k replies out of a pool.

    Attributes:
        world: makes what is read of them.
        contexts: n lists of turns, oldest first.
        own: of each turn, whether it is by the one who replies.
        conversations: n names.
        pool: replies.
        rows: int64 [n, k], of the pool; the gold one first.
    """

    world: World
    contexts: Sequence[Sequence[str]]
    own: Sequence[Sequence[bool]]
    conversations: Sequence[str]
    pool: Sequence[str]
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def checksum(self) -> str:
        """SHA-256 over contexts, pool and rows."""
        document = json.dumps([list(map(list, self.contexts)), list(self.pool), self.rows.tolist()])
        return "sha256:" + hashlib.sha256(document.encode()).hexdigest()

    @cached_property
    def laid(self) -> Contexts:
        """Vectors of the contexts' turns, who said them, and where there are none."""
        heads = self.world.heads
        laid = Contexts(len(self.contexts), heads.turns, heads.turn_dim)
        last = [turns[-heads.turns :] for turns in self.contexts]
        vectors = self.world.vectors([turn for turns in last for turn in turns])
        ends = np.cumsum([len(turns) for turns in last])
        for row, (turns, own) in enumerate(zip(last, self.own, strict=True)):
            laid.put(row, vectors[ends[row] - len(turns) : ends[row]], list(own)[-heads.turns :])
        return laid

    @cached_property
    def context_vectors(self) -> Vectors:
        """By the context head, float32 [n, dim]."""
        return self.world.heads.contexts(self.laid)

    @cached_property
    def turn_vectors(self) -> Vectors:
        """Of the pool's replies as turns, float32 [pool, turn_dim]."""
        return self.world.vectors(self.pool)

    @cached_property
    def reply_vectors(self) -> Vectors:
        """Of the pool's replies by the reply head, float32 [pool, dim]."""
        return self.world.heads.replies(self.turn_vectors)

    @cached_property
    def context_tokens(self) -> Rows:
        """Of the contexts' ends, int64 [n, 60]; 0 where there is none."""
        return self._tokens([_SEPARATOR.join(turns) for turns in self.contexts], CONTEXT_TOKENS)

    @cached_property
    def reply_tokens(self) -> Rows:
        """Of the pool's replies, int64 [pool, 20]; 0 where there is none."""
        return self._tokens(self.pool, REPLY_TOKENS)

    def _tokens(self, texts: Sequence[str], most: int) -> Rows:
        found = token_ids(open_tokenizer(self.world.tokenizer, most), texts)
        rows = np.zeros((len(texts), most), np.int64)
        for row, ids in enumerate(found):
            rows[row, : len(ids)] = ids
        return rows


def fixed_slates(lists: Candidates, kind: str, world: World, seed: int = 0) -> Slates:
    """Draw slates out of the fixed lists: the gold reply, and nine of the others.

    Args:
        lists: of a split.
        kind: "hard" or "random".
        world: makes what is read of them.
        seed: of the draw; another one is another benchmark.

    Returns:
        One slate an item.
    """
    return Slates(
        world,
        lists.items["context"].to_list(),
        lists.items["context_own"].to_list(),
        lists.items["conversation_id"].to_list(),
        lists.pool["text"].to_list(),
        fixed_rows(lists, kind, seed),
    )


def learning_slates(pairs: pl.DataFrame, most: int, world: World, seed: int) -> Slates:
    """Make slates of one split: beside the gold reply some that are worded like it, and any others.

    Replies that the heads themselves retrieve are no good here: the gold one mostly scores below them, and a ranker
    learns to distrust the heads (docs/negative-results.md).

    Args:
        pairs: of the split, with pair_id, conversation_id, context, context_own, reply.
        most: contexts that are drawn.
        world: makes what is read of them.
        seed: of the draws.

    Returns:
        One slate a context.
    """
    draw = np.random.default_rng(seed)
    table, gold, pool = drawn_pairs(pairs, most, draw)
    alike = worded_alike(pool, gold, 2 * ALIKE)
    drawn = np.take_along_axis(alike, draw.permuted(np.tile(np.arange(alike.shape[1]), (len(gold), 1)), axis=1), 1)
    return Slates(
        world,
        table["context"].to_list(),
        table["context_own"].to_list(),
        table["conversation_id"].to_list(),
        pool,
        np.column_stack([gold, drawn[:, :ALIKE], draw.integers(0, len(pool), (len(gold), ANY))]),
    )
