"""Losses of the sentence encoders."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div


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


def distillation(student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], scale: float) -> Tensor:
    """Pull vectors onto the teacher's, and the ranking of replies onto the teacher's ranking.

    The first term moves each vector onto its target; the second, KL divergence between the softmaxed scores of
    every context with every reply of the batch, keeps what retrieval reads: which reply is nearer
    (knowledge distillation on scores; Hinton et al. 2015, arXiv:1503.02531).

    Args:
        student: contexts and replies, float [n, dim] each, unit rows.
        teacher: their targets, float [n, dim] each, unit rows.
        scale: inverse temperature of the scores.

    Returns:
        Scalar loss; 0 if the vectors are equal.
    """
    points = sum((1 - (ours * theirs).sum(-1)).mean() for ours, theirs in zip(student, teacher, strict=True))
    wanted = torch.log_softmax(scale * teacher[0] @ teacher[1].T, -1)
    found = torch.log_softmax(scale * student[0] @ student[1].T, -1)
    return points + kl_div(found, wanted, log_target=True, reduction="batchmean")
