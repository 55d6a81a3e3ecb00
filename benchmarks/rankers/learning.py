"""Learning: the same loop for every model, and scores by one that has learnt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.rankers.models import Read
from benchmarks.rankers.slates import Slates
from rejoinder.progress import progress
from stages.evaluation.retrieval import Scores

_BATCH, _RATE, _DECAY = 256, 1e-3, 0.05
_FAR = -1e4  # the gold reply once more is no wrong one


@dataclass(frozen=True, slots=True)
class Learnt:
    """A model, how many weights it has, and the CPU-seconds of its training."""

    model: nn.Module
    weights: int
    cpu_s: float

    def scores(self, slates: Slates) -> Scores:
        """Score slates, float32 [n, k]."""
        self.model.eval()
        blocks = np.array_split(np.arange(len(slates)), max(1, len(slates) // _BATCH))
        with torch.inference_mode():
            return np.concatenate([self.model(Read(slates, some)).numpy() for some in blocks])


def learn(make: Callable[[], nn.Module], slates: Slates, epochs: int, seed: int, name: str) -> Learnt:
    """Train a model to put the gold reply first.

    Args:
        make: the model.
        slates: to learn from.
        epochs: how often each is seen.
        seed: of weights, order and dropout.
        name: for the bar.

    Returns:
        The model after the last step: nothing is chosen.
    """
    torch.manual_seed(seed)
    draw, start = np.random.default_rng(seed), time.process_time()
    model = make()
    optimizer = torch.optim.AdamW(model.parameters(), _RATE, weight_decay=_DECAY)
    steps = epochs * -(-len(slates) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    again = torch.from_numpy(slates.rows[:, 1:] == slates.rows[:, :1])
    with progress(f"rankers: {name}", "step", steps) as advance:
        for _ in range(epochs):
            model.train()
            order = draw.permutation(len(slates))
            for some in np.array_split(order, -(-len(slates) // _BATCH)):
                scores = model(Read(slates, some))
                others = scores[:, 1:].masked_fill(again[some], _FAR)
                every = torch.cat([scores[:, :1], others], 1)
                loss = functional.cross_entropy(every, torch.zeros(len(some), dtype=torch.long))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                advance(1)
    weights = sum(part.numel() for part in model.parameters())
    return Learnt(model, weights, time.process_time() - start)
