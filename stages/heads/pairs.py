"""Pairs as row numbers of the turn vectors, and batches of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from stages.common.turn_vectors import TurnVectors
from stages.evaluation.candidates import reply_key
from stages.training.loaders import bucketed_loader

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PairRows:
    """n pairs, their turns as rows of `vectors`.

    Attributes:
        ids: n pair_ids.
        vectors: float16 [turns, d] of every turn that occurs, and a last row of zeros for "no turn".
        contexts: int64 [n, t], the last turn last; gaps point at the row of zeros.
        own: float32 [n, t], 1 where the turn is of the one who replies.
        replies: int64 [n].
        keys: int64 [n], equal for equal replies.
    """

    ids: list[str]
    vectors: Tensor
    contexts: Tensor
    own: Tensor
    replies: Tensor
    keys: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def turns(self, rows: Any) -> tuple[Tensor, Tensor, Tensor]:
        """What the context head reads: turns float32 [m, t, d], mask and own float32 [m, t]."""
        contexts = self.contexts[rows]
        mask = (contexts < len(self.vectors) - 1).float()
        return self.vectors[contexts].float(), mask, self.own[rows]

    def reply_turns(self, rows: Any) -> Tensor:
        """What the reply head reads: float32 [m, d]."""
        return self.vectors[self.replies[rows]].float()


def pair_rows(pairs: pl.DataFrame, turns: TurnVectors, context_turns: int) -> PairRows:
    """Look the turns of pairs up.

    Args:
        pairs: with pair_id, context, context_own and reply.
        turns: holds all of them.
        context_turns: turns of a context that are read; earlier ones are left out.

    Returns:
        The pairs.
    """
    last = (
        pairs.select(pl.col("context").list.tail(context_turns), pl.col("context_own").list.tail(context_turns))
        .with_row_index("pair")
        .explode("context", "context_own")
    )
    of_contexts, of_replies = (turns.rows_of(texts.to_list()) for texts in (last["context"], pairs["reply"]))
    used, numbers = np.unique(np.concatenate([of_contexts, of_replies]), return_inverse=True)
    contexts = np.full((len(pairs), context_turns), len(used), np.int64)
    own = np.zeros((len(pairs), context_turns), np.float32)
    pair = last["pair"].to_numpy()
    lengths = np.bincount(pair, minlength=len(pairs))
    place = np.arange(len(pair)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + context_turns - lengths[pair]
    contexts[pair, place] = numbers[: len(pair)]
    own[pair, place] = last["context_own"].to_numpy()
    return PairRows(
        ids=pairs["pair_id"].to_list(),
        vectors=_with_zeros(turns, used),
        contexts=torch.from_numpy(contexts),
        own=torch.from_numpy(own),
        replies=torch.from_numpy(numbers[len(pair) :].copy()),
        keys=torch.from_numpy(_reply_keys(pairs["reply"])),
    )


def _with_zeros(turns: TurnVectors, rows: Numbers) -> Tensor:
    vectors = turns.table.vectors(rows).astype(np.float16)
    return torch.from_numpy(np.vstack([vectors, np.zeros((1, turns.dim), np.float16)]))


def _reply_keys(replies: pl.Series) -> Numbers:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(reply_key(text), len(numbers)) for text in replies], np.int64)


def pair_loader(pairs: PairRows, batch_size: int, seed: int) -> Any:
    """Batches of (turns, mask, own), the replies' turns and their keys."""

    def collate(rows: list[int]) -> Any:
        return pairs.turns(rows), pairs.reply_turns(rows), pairs.keys[rows]

    return bucketed_loader([1] * len(pairs), collate, batch_size=batch_size, seed=seed)
