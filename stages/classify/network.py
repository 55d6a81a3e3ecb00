"""Network: one hidden layer on turn vectors; beside a regression it finds what is said in unforeseen words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rejoinder.parts.arrays import Vectors

#: Chosen on the development suite of the guard: of 8 to 16 epochs, half or a third dropped, 512 or 1,024 units.
_EPOCHS, _BATCH, _RATE, _DECAY, _DROPPED, _DROPPED_OF_VECTORS, _SMOOTHING = 12, 256, 1e-3, 0.05, 0.5, 0.1, 0.05


def fit_network(
    vectors: Vectors,
    labels: npt.NDArray[np.int64],
    kinds: int,
    weighed: npt.NDArray[np.float64],
    *,
    hidden: int,
    seed: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Train a network: vector -> rectified hidden units -> scores.

    Args:
        vectors: float32 [n, dim], rows of unit length.
        labels: int64 [n], from 0.
        kinds: how many there are.
        weighed: float64 [n], what each row weighs.
        hidden: units.
        seed: of first weights, order and what is dropped.

    Returns:
        float32 [dim + 1 + kinds, hidden]: weights of the vector, the hidden units' bias, and weights of each label;
        float32 [kinds], the labels' bias.
    """
    import torch
    from torch.nn import Dropout, Linear, ReLU, Sequential
    from torch.nn.functional import cross_entropy

    scale = float(vectors.shape[1]) ** 0.5  # of unit rows; their numbers are then about 1
    rows, given = torch.from_numpy(vectors * np.float32(scale)), torch.from_numpy(labels)
    weights = torch.from_numpy(weighed.astype(np.float32))
    steps = _EPOCHS * -(-len(rows) // _BATCH)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first, last = Linear(rows.shape[1], hidden), Linear(hidden, kinds)
        model = Sequential(Dropout(_DROPPED_OF_VECTORS), first, ReLU(), Dropout(_DROPPED), last)
        optimizer = torch.optim.AdamW(model.parameters(), _RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
        for _ in range(_EPOCHS):
            for batch in torch.split(torch.randperm(len(rows)), _BATCH):
                losses = cross_entropy(
                    model(rows[batch]), given[batch], reduction="none", label_smoothing=_SMOOTHING
                )
                optimizer.zero_grad()
                (losses * weights[batch]).mean().backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
    with torch.no_grad():
        made = torch.vstack([first.weight.T * scale, first.bias[None], last.weight])
        return made.numpy(), last.bias.numpy().copy()
