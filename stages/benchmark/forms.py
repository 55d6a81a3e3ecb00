"""Forms: what another form than the first one loses, over every test pair.

The fixed lists hold 2,000 items; between two forms of one encoder, chance is as wide there as what may be lost. So
each form is asked all test pairs, as heads are in their validation: the reply among those of 99 other pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.heads import Contexts, Heads
from stages.benchmark.comparison import Bootstrap, gain
from stages.benchmark.systems import Encode
from stages.common.turn_vectors import TurnVectors
from stages.evaluation.candidates import reply_key
from stages.evaluation.retrieval import Ranks

_BLOCK = 100


class Once:
    """An encoder that is asked for each text once; vectors are kept in memory while it lives."""

    def __init__(self, encode: Encode) -> None:
        """Put the memory before an encoder."""
        self._encode = encode
        self._known: dict[str, Vectors] = {}

    def __call__(self, texts: list[str]) -> Vectors:
        """Vectors of texts, float32 [n, dim]."""
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            self._known |= zip(new, self._encode(new), strict=True)
        return np.stack([self._known[text] for text in texts])


def form_gains(
    forms: Mapping[str, Encode], heads: Heads, pairs: pl.DataFrame, turns: TurnVectors, bootstrap: tuple[int, int]
) -> dict[str, Any]:
    """Compare forms with the first one, which made the turn vectors, as both meet the same stored replies.

    Args:
        forms: each other form's encoder, by form.
        heads: make contexts and replies of turns.
        pairs: the test pairs: conversation_id, context, context_own, reply.
        turns: vectors of all turns by the first form.
        bootstrap: rounds, and the seed of these and of the blocks.

    Returns:
        By form: pairs, R@1 of 100 of the first form and of this one, and the difference with its interval.
    """
    rounds, seed = bootstrap
    order = np.random.default_rng(seed).permutation(len(pairs))
    asked = pairs[order[: len(order) // _BLOCK * _BLOCK].tolist()]
    replies = heads.replies(turns.of(asked["reply"].to_list()))
    keys = pl.Series([reply_key(text) for text in asked["reply"]]).rank("dense").to_numpy()
    first = _block_ranks(_contexts(turns.of, heads, asked), replies, keys)
    intervals = Bootstrap(asked["conversation_id"].to_list(), rounds, seed)
    found = {}
    for form, encode in forms.items():
        rank = _block_ranks(_contexts(encode, heads, asked), replies, keys)
        rates = {"first_r_at_1": float((first <= 1).mean()), "r_at_1": float((rank <= 1).mean())}
        found[form] = {"pairs": len(asked), **rates, **gain(rank, first, intervals)}
    return found


def _contexts(encode: Encode, heads: Heads, pairs: pl.DataFrame) -> Vectors:
    contexts = [turns[-heads.turns :] for turns in pairs["context"].to_list()]
    own = [turns[-heads.turns :] for turns in pairs["context_own"].to_list()]
    vectors = encode([turn for turns in contexts for turn in turns])
    laid, end = Contexts(len(contexts), heads.turns, heads.turn_dim), 0
    for row, turns in enumerate(contexts):
        start, end = end, end + len(turns)
        laid.put(row, vectors[start:end], own[row])
    return heads.contexts(laid)


def _block_ranks(contexts: Vectors, replies: Vectors, keys: npt.NDArray[Any]) -> Ranks:
    """Rank of a pair's own reply in its block, int64 [n]; a tie counts as wrong, equal replies do not compete."""
    blocks = (-1, _BLOCK, contexts.shape[-1])
    scores = contexts.reshape(blocks) @ replies.reshape(blocks).transpose(0, 2, 1)
    block_keys = keys.reshape(-1, _BLOCK)
    competes = block_keys[:, :, None] != block_keys[:, None, :]
    own = np.diagonal(scores, axis1=1, axis2=2)[:, :, None]
    return np.asarray(1 + (competes & ~(own > scores)).sum(-1).ravel(), np.int64)
