"""Learning: a few steps over this build's own dialogues, junk beside them, from weights that know chats already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from stages.evaluation.slates import first
from stages.ranker.model import ContextOnce
from stages.ranker.slates import Rows, Slates
from stages.training.lightning_module import TrainedModule
from stages.training.loaders import bucketed_loader
from stages.training.loop import train
from stages.training.params import TrainingParams

_FAR = -1e4  # the gold reply once more is no wrong one
_READ = 16  # slates at a time where nothing is learnt


def listwise(model: ContextOnce, batch: Any) -> Tensor:
    """Cross entropy of the gold reply among its slate, a scalar."""
    given, again = batch
    scores = model(*given)[..., 0].float()
    every = torch.cat([scores[:, :1], scores[:, 1:].masked_fill(again, _FAR)], 1)
    return cross_entropy(every, torch.zeros(len(every), dtype=torch.long, device=every.device))


@torch.inference_mode()
def over_slates(
    model: ContextOnce, slates: Slates, read: Callable[..., Tensor] | None = None
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Apply a model, or one of its methods, to all slates, float32 [n, k, width of what it makes]."""
    device = next(model.parameters()).device
    found = []
    for some in np.array_split(np.arange(len(slates)), max(1, len(slates) // _READ)):
        given = slates.tokens.batch(some, slates.rows[some])
        found.append((read or model)(*(part.to(device) for part in given)).float().cpu())
    return torch.cat(found).numpy()


def train_ranker(
    model: ContextOnce, learning: Slates, judged: Slates, params: TrainingParams, *, source: Path, directory: Path
) -> dict[str, float]:
    """Train a ranker.

    Args:
        model: trained in place, but for what is frozen.
        learning: slates of the training split.
        judged: slates of the validation split.
        params: section `ranker`.
        source: the file that they came from, recorded by digest.
        directory: receives the curves.

    Returns:
        R@1 of the validation slates, before and after.
    """
    from rejoinder.parts import RANKER

    def r_at_1() -> float:
        was_training = model.training
        model.eval()
        found = float(first(over_slates(model, judged)[..., 0]).mean())
        model.train(was_training)
        return found

    def collate(drawn: list[int]) -> Any:
        some: Rows = np.array(drawn, np.int64)
        rows = learning.rows[some]
        return learning.tokens.batch(some, rows), torch.from_numpy(rows[:, 1:] == rows[:, :1])

    lengths = (learning.tokens.contexts != 0).sum(1).tolist()
    loader = bucketed_loader(lengths, collate, batch_size=params.batch_size, seed=params.seed)
    module = TrainedModule(model, listwise, params, r_at_1, learning.ids)
    before = r_at_1()
    train(
        module, loader, params, stage=RANKER.name, untrained=before, data={"pairs": source}, directory=directory,
        dropout=True,
    )  # fmt: skip
    model.cpu().eval()
    return {"before": before, "after": r_at_1()}
