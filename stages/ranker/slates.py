"""Slates: contexts and replies as tokens, and which replies stand beside the gold one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.parts.reading import Ids, Reading, padded
from stages.ranker.junk import KINDS, draw_junk

if TYPE_CHECKING:
    import polars as pl

Rows = npt.NDArray[np.int64]
#: Of a slate to learn from: replies worded like the gold one, and any.
ALIKE, ANY = 4, 3


@dataclass(frozen=True, eq=False, slots=True)
class Tokens:
    """n contexts and a pool of m replies, as tokens; 0 where there is none.

    Attributes:
        contexts: int64 [n, c].
        kinds: int64 [n, c], 1 where a token is of the one who replies.
        pool: int64 [m, r].
    """

    contexts: Ids
    kinds: Ids
    pool: Ids

    def batch(self, some: Rows, rows: Rows) -> tuple[Any, Any, Any]:
        """What a model reads of some slates.

        Args:
            some: int64 [b], contexts.
            rows: int64 [b, k], replies of the pool.

        Returns:
            Tensors as `ContextOnce` takes them, no longer than the longest of the batch.
        """
        import torch

        longest = max(1, int((self.contexts[some] != 0).sum(1).max()))
        said = max(1, int((self.pool[rows] != 0).sum(-1).max()))
        parts = self.contexts[some][:, :longest], self.kinds[some][:, :longest], self.pool[rows][..., :said]
        return tuple(torch.from_numpy(part.astype(np.int64)) for part in parts)  # type: ignore[return-value]


def read_tokens(
    reading: Reading, contexts: Sequence[Sequence[str]], own: Sequence[Sequence[bool]], pool: Sequence[str]
) -> Tokens:
    """Tokenise.

    Args:
        reading: of the ranker.
        contexts: n lists of turns, oldest first.
        own: of each turn, whether it is by the one who replies.
        pool: replies.

    Returns:
        Their tokens.
    """
    texts = list(dict.fromkeys(turn for turns in contexts for turn in turns))
    known = dict(zip(texts, reading.turns(texts), strict=True))
    joined = [
        reading.context([known[turn] for turn in turns], list(mine))
        for turns, mine in zip(contexts, own, strict=True)
    ]
    return Tokens(padded([ids for ids, _ in joined]), padded([kinds for _, kinds in joined]), reading.replies(pool))


@dataclass(frozen=True, eq=False, slots=True)
class Slates:
    """n slates to learn from, or to be judged by.

    Attributes:
        tokens: of n contexts and a pool.
        rows: int64 [n, k], of the pool; the gold reply first.
        ids: n pair_ids.
    """

    tokens: Tokens
    rows: Rows
    ids: list[str]

    def __len__(self) -> int:
        return len(self.rows)


def learning_slates(pairs: pl.DataFrame, most: int, reading: Reading, seed: int) -> Slates:
    """Draw slates: beside the gold reply some that are worded like it, any others, and junk.

    Replies that the heads themselves retrieve are no good here: the gold one mostly scores below them, and a ranker
    learns to distrust the heads (docs/negative-results.md).

    Args:
        pairs: of one split, with pair_id, context, context_own, reply.
        most: contexts that are drawn.
        reading: of the ranker.
        seed: of all draws.

    Returns:
        One slate a context.
    """
    draw = np.random.default_rng(seed)
    table, gold, pool = drawn_pairs(pairs, most, draw)
    contexts = table["context"].to_list()
    junk = [draw_junk(turns, reply, draw) for turns, reply in zip(contexts, table["reply"], strict=True)]
    near = draw.permuted(worded_alike(pool, gold), axis=1)[:, :ALIKE]
    far = (gold[:, None] + draw.integers(1, len(pool), (len(gold), ANY))) % len(pool)  # any but the gold one
    bad = len(pool) + np.arange(len(junk) * KINDS).reshape(-1, KINDS)
    rows = np.column_stack([gold, near, far, bad])
    used, rows = np.unique(rows, return_inverse=True)
    both = [*pool, *(text for texts in junk for text in texts)]
    own = table["context_own"].to_list()
    tokens = read_tokens(reading, contexts, own, [both[row] for row in used])
    return Slates(tokens, rows.reshape(len(gold), -1), table["pair_id"].to_list())


def drawn_pairs(pairs: pl.DataFrame, most: int, draw: np.random.Generator) -> tuple[pl.DataFrame, Rows, list[str]]:
    """Draw pairs of a split, and number all its distinct replies.

    Args:
        pairs: with pair_id and reply.
        most: pairs that are drawn.
        draw: draws them.

    Returns:
        The pairs, int64 [n] of their replies' places among the distinct ones, and those.
    """
    from stages.evaluation.candidates import reply_key

    learnt = pairs.sort("pair_id")
    number: dict[str, int] = {}
    of_all = np.array([number.setdefault(reply_key(text), len(number)) for text in learnt["reply"]], np.int64)
    pool = learnt["reply"].gather(np.unique(of_all, return_index=True)[1]).to_list()
    chosen = np.sort(draw.permutation(len(learnt))[:most])
    return learnt[chosen], of_all[chosen], pool


def worded_alike(pool: list[str], gold: Rows, nearest: int = 2 * ALIKE) -> Rows:
    """Rows of the replies worded most like each gold one, int64 [n, nearest]."""
    from rejoinder.progress import track
    from stages.evaluation.candidates import Bm25

    ranker, asked = Bm25(pool), np.unique(gold)
    nearest = min(nearest, len(pool) - 1)
    found = np.empty((len(asked), nearest), np.int64)
    for row, own in enumerate(track(asked.tolist(), "ranker: replies worded alike", "reply")):
        scores = ranker.scores(pool[own]).copy()
        scores[own] = -1
        found[row] = np.argpartition(-scores, nearest)[:nearest]
    return found[np.searchsorted(asked, gold)]
