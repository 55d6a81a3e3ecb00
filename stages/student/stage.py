"""Student: teacher vectors -> fewer layers and a compressing projection.

texts -> teacher vectors -> PCA to `dim` -> targets; kept layers + projection (from the PCA) -> trained on them
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from stages.common.output import atomic_directory, write_json
from stages.training.params import TrainingParams

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from rejoinder.parts.arrays import Vectors
    from stages.training.encoder import SentenceEncoder


class Params(TrainingParams):
    """How the student is made and trained."""

    layers: list[int] = Field(min_length=1)
    """Teacher layers to keep, from 0 at the bottom, rising."""
    dim: int = Field(ge=16, multiple_of=16)
    """Length of a vector. FAISS's scalar quantiser is 10 times slower where this is no multiple of 16."""
    pairs: int = Field(ge=100)
    """Training pairs that the teacher encodes; the student sees them again and again."""


def draw_pairs(pairs: pl.DataFrame, limit: int, seed: int) -> pl.DataFrame:
    """Draw pairs of the training split.

    Args:
        pairs: all pairs.
        limit: pairs wanted.
        seed: of the draw.

    Returns:
        At most `limit` pairs.
    """
    train = pairs.filter(pairs["split"] == "train")
    return train[np.sort(np.random.default_rng(seed).permutation(len(train))[:limit])]


def build_student(teacher: SentenceEncoder, layers: list[int], axes: Vectors) -> SentenceEncoder:
    """Keep some of the teacher's layers and project onto the axes.

    Args:
        teacher: not changed.
        layers: numbers of the layers to keep.
        axes: float32 [dim, width], the projection's first weights.

    Returns:
        The untrained student.

    Raises:
        ParamsError: if a layer is not one of the teacher's, they do not rise, or nothing would be compressed.
    """
    import copy
    from dataclasses import replace

    import torch
    from torch import nn

    from stages.common.errors import ParamsError
    from stages.training.encoder import SentenceEncoder

    body: Any = copy.deepcopy(teacher.body)
    width = body.config.hidden_size
    if len(axes) >= width:
        raise ParamsError(f"student.dim: expected less than the teacher's {width}, got {len(axes)}; next: lower it")
    if sorted(set(layers)) != layers or not 0 <= layers[0] <= layers[-1] < len(body.encoder.layer):
        expected = f"rising numbers from 0 to {len(body.encoder.layer) - 1}"
        raise ParamsError(f"student.layers: expected {expected}, got {layers}; next: correct it in params.yaml")
    body.requires_grad_(True)
    body.encoder.layer = nn.ModuleList([body.encoder.layer[n] for n in layers])
    body.config.num_hidden_layers = len(layers)
    student = SentenceEncoder(body, teacher.tokenizer_file, replace(teacher.config, dim=len(axes)))
    if student.projection is not None:
        student.projection.weight.data = torch.tensor(axes)
    return student


def target_loader(
    student: SentenceEncoder, texts: tuple[list[str], list[str]], targets: tuple[Vectors, Vectors], params: Params
) -> Any:
    """Batches of padded contexts, padded replies and the targets of both, float32 [n, dim] each."""
    import torch

    from stages.training.encoder import pad
    from stages.training.loaders import bucketed_loader

    contexts, replies = (student.token_ids(part) for part in texts)
    wanted = tuple(torch.tensor(part) for part in targets)

    def collate(rows: list[int]) -> Any:
        tokens = pad([contexts[r] for r in rows]), pad([replies[r] for r in rows])
        return tokens, tuple(part[rows] for part in wanted)

    lengths = [len(c) + len(r) for c, r in zip(contexts, replies, strict=True)]
    return bucketed_loader(lengths, collate, batch_size=params.batch_size, seed=params.seed)


def unit(vectors: Vectors) -> Vectors:
    """Scale rows to unit length."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def run(params: Params, *, dialogues: Path, vectorizer: Path, out: Path) -> None:
    """Distil the teacher.

    Args:
        params: section `student`.
        dialogues: output of the stage `dialogues`.
        vectorizer: output of the stage `vectorizer`.
        out: directory to make: student/, curves, metrics.json.
    """
    import polars as pl

    from rejoinder.text import context_text
    from stages.evaluation.candidates import Candidates
    from stages.training.axes import principal_axes
    from stages.training.encoder import SentenceEncoder, encode
    from stages.training.lightning_module import TrainedModule, encoder_r_at_1
    from stages.training.loop import train
    from stages.training.losses import distillation

    teacher = SentenceEncoder.load(vectorizer / "teacher")
    drawn = draw_pairs(pl.read_parquet(dialogues / "pairs.parquet"), params.pairs, params.seed)
    contexts = [context_text(turns, teacher.config.context_turns) for turns in drawn["context"].to_list()]
    texts = contexts, drawn["reply"].to_list()
    vectors = [encode(teacher, part, fast=True, label="student: encoding with the teacher") for part in texts]
    axes = principal_axes(np.concatenate(vectors), params.dim)
    targets = unit(vectors[0] @ axes.T), unit(vectors[1] @ axes.T)
    student = build_student(teacher, params.layers, axes)

    def loss(model: SentenceEncoder, batch: Any) -> Tensor:
        (contexts, replies), wanted = batch
        return distillation((model(*contexts), model(*replies)), wanted, params.scale)

    validation = Candidates.load(dialogues / "validation")
    module = TrainedModule(
        student, loss, params, lambda: encoder_r_at_1(student, validation), drawn["pair_id"].to_list()
    )
    before = module.validate()
    loader = target_loader(student, texts, targets, params)
    with atomic_directory(out) as directory:
        train(
            module, loader, params, stage="student", untrained=before,
            data={"pairs": dialogues / "pairs.parquet", "teacher": vectorizer / "teacher" / "model.safetensors"},
            directory=directory,
        )  # fmt: skip
        student.save(directory / "student")
        metrics = {"untrained_r_at_1": before, "r_at_1": module.validate(), "pairs": len(texts[0])}
        write_json(directory / "metrics.json", {"validation": metrics})
