"""Which of the teacher's layers a student keeps, and the projection that it starts with."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import nn

from rejoinder.parts.arrays import Vectors
from rejoinder.progress import track
from stages.common.errors import ParamsError
from stages.training.encoder import SentenceEncoder, encode

#: Share of the vectors' mean squared length: those of few layers lie near each other, and axes without length would
#: be stretched to fit noise (ridge regression).
_RIDGE = 1e-3


def keep(teacher: SentenceEncoder, layers: Sequence[int]) -> SentenceEncoder:
    """Keep some of the teacher's layers; word table and tokenizer are the teacher's.

    Args:
        teacher: not changed.
        layers: numbers of the layers to keep, rising.

    Returns:
        The untrained student, without projection. Its embeddings are not to be trained.
    """
    body: Any = copy.deepcopy(teacher.body)
    body.requires_grad_(True)
    body.embeddings.requires_grad_(False)
    body.encoder.layer = nn.ModuleList([body.encoder.layer[n] for n in layers])
    body.config.num_hidden_layers = len(layers)
    return SentenceEncoder(
        body, teacher.tokenizer_file, replace(teacher.config, dim=body.config.hidden_size)
    ).eval()


def project(student: SentenceEncoder, projection: Vectors) -> SentenceEncoder:
    """Put a projection behind a student's pooling.

    Args:
        student: without projection; its body is shared.
        projection: float32 [width, dim].

    Returns:
        The student.
    """
    config = replace(student.config, dim=projection.shape[1])
    projected = SentenceEncoder(student.body, student.tokenizer_file, config, projected=True)
    projected.load_state_dict({"projection.weight": torch.tensor(projection.T.copy())}, strict=False)
    return projected.eval()


def least_squares(vectors: Vectors, targets: Vectors) -> Vectors:
    """The projection that brings vectors nearest to their targets.

    Args:
        vectors: float32 [n, width].
        targets: float32 [n, dim].

    Returns:
        float32 [width, dim].
    """
    exact = vectors.astype(np.float64)
    square = exact.T @ exact
    ridge = _RIDGE * np.trace(square) / len(square) * np.eye(len(square))
    return np.linalg.solve(square + ridge, exact.T @ targets).astype(np.float32)


def nearness(vectors: Vectors, targets: Vectors) -> float:
    """Mean cosine of unit rows with their targets."""
    return float((vectors * targets).sum(1).mean())


def choose(
    teacher: SentenceEncoder, count: int, fitted: tuple[list[str], Vectors], judged: tuple[list[str], Vectors]
) -> tuple[SentenceEncoder, list[int]]:
    """Keep the layers that come nearest to the targets before any training, each choice with its own projection.

    Args:
        teacher: not changed.
        count: layers to keep; the first is always one of them.
        fitted: training turns and their targets, float32 [n, dim]; projections are fitted on them.
        judged: validation turns and theirs.

    Returns:
        The untrained student with its projection, and its layers.

    Raises:
        ParamsError: if the teacher has not so many layers.
    """
    there = len(teacher.body.encoder.layer)  # type: ignore[union-attr, arg-type]
    if not 1 <= count <= there:
        raise ParamsError(f"student.layers: expected 1 to {there}, got {count}; next: correct it in params.yaml")
    choices = [(0, *rest) for rest in combinations(range(1, there), count - 1)]
    found: dict[tuple[int, ...], tuple[float, Vectors]] = {}
    for layers in track(choices, "student: choosing layers", "choice"):
        kept = keep(teacher, layers)
        projection = least_squares(encode(kept, fitted[0], fast=True), fitted[1])
        found[layers] = nearness(encode(project(kept, projection), judged[0], fast=True), judged[1]), projection
    best = max(found, key=lambda layers: found[layers][0])
    return project(keep(teacher, best), found[best][1]), list(best)
