"""Losses of the sentence encoders."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def in_batch_negatives(contexts: Tensor, replies: Tensor, reply_keys: Tensor, scale: float | Tensor) -> Tensor:
    """Contrast every context with every reply of the batch, both ways.

    n pairs give n x n comparisons (multiple negatives ranking; Henderson et al. 2017, arXiv:1705.00652). A row
    whose reply is the same as the gold one is no negative and is masked.

    Args:
        contexts: float [n, dim], unit rows.
        replies: float [n, dim], unit rows.
        reply_keys: int64 [n], equal for equal replies.
        scale: inverse temperature.

    Returns:
        Scalar loss; ln(n) for an uninformed encoder.
    """
    scores = scale * contexts @ replies.T
    same = reply_keys[:, None] == reply_keys[None, :]
    same.fill_diagonal_(False)
    scores = scores.masked_fill(same, float("-inf"))
    gold = torch.arange(len(scores), device=scores.device)
    return (cross_entropy(scores, gold) + cross_entropy(scores.T, gold)) / 2
