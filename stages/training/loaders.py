"""Length-bucketed batches: rows of like length together, so that little is spent on padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from stages.common.errors import DataError

_CHUNK = 50  # batches sorted together: enough to cut padding, few enough to keep batches mixed


class BucketedBatches:
    """Yields lists of row numbers; a full pass sees every row once, short last batches are dropped.

    A `batch_sampler` for torch's DataLoader. Each pass draws a new order from the seed and the pass's number.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """Set up passes over rows.

        Args:
            lengths: tokens of each row.
            batch_size: rows of a batch.
            seed: of the orders.
        """
        self._lengths = np.asarray(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._pass = 0

    def __len__(self) -> int:
        return len(self._lengths) // self._batch_size

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self._seed, self._pass])
        self._pass += 1
        order = rng.permutation(len(self._lengths))
        span = self._batch_size * _CHUNK
        batches = []
        for start in range(0, len(order), span):
            chunk = order[start : start + span]
            chunk = chunk[np.argsort(self._lengths[chunk], kind="stable")]
            batches += [chunk[i : i + self._batch_size] for i in range(0, len(chunk), self._batch_size)]
        full = [batch for batch in batches if len(batch) == self._batch_size]
        for number in rng.permutation(len(full)):
            yield full[number].tolist()


def bucketed_loader(
    lengths: Sequence[int], collate: Callable[[list[int]], Any], *, batch_size: int, seed: int
) -> DataLoader[Any]:
    """Load batches of like length.

    Args:
        lengths: tokens of each row.
        collate: makes a batch of row numbers.
        batch_size: rows of a batch.
        seed: of the orders.

    Returns:
        A loader over all rows: batches of row numbers and what `collate` made of them.

    Raises:
        DataError: if there are too few rows for a single batch.
    """
    if len(lengths) < batch_size:
        raise DataError(
            f"training pairs: expected at least one batch of {batch_size}, got {len(lengths)}. "
            "Next: add conversations, or lower batch_size"
        )
    batches = BucketedBatches(lengths, batch_size, seed)
    rows: Any = range(len(lengths))
    return DataLoader(rows, batch_sampler=batches, collate_fn=lambda drawn: (drawn, collate(drawn)))
