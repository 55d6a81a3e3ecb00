"""Heads: turn vectors + pairs -> context head and reply head -> the heads bundle.

The vectors are those that serve, by the exported form: what is trained on is what is served. When content arrives,
heads are trained anew within minutes, and encoder and phrase cache stay.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from stages.common.output import atomic_directory, write_json
from stages.training.params import ContrastiveParams

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from rejoinder.parts.arrays import Vectors
    from rejoinder.parts.vectorizer import Vectorizer
    from stages.common.turn_vectors import TurnVectors
    from stages.heads.model import HeadsModel
    from stages.heads.pairs import PairRows


class Params(ContrastiveParams):
    """What the heads are and how they are trained."""

    kind: Literal["mlp", "gated", "attention"]
    """How the context head mixes turns: side by side, through gates, or by attention."""
    turns: int = Field(ge=1, le=16)
    """Turns before the reply that the context head reads."""
    dim: int = Field(ge=16, multiple_of=16)
    """Length of the index's vectors. FAISS's scalar quantiser is 10 times slower where it is no multiple of 16."""
    hidden: int = Field(ge=16)
    """Width of the networks beside the skips."""
    dropout: float = Field(ge=0, lt=1)
    """Share of the networks' hidden units that are dropped in training."""


def first_axes(turns: TurnVectors, pairs: PairRows, dim: int) -> Vectors:
    """Where the skips start: the identity, or the principal axes of the replies where they compress.

    Args:
        turns: their dimension.
        pairs: of the training split.
        dim: length of the heads' vectors.

    Returns:
        float32 [dim, d].

    Raises:
        ParamsError: if the heads' vectors would be longer than those of turns.
    """
    from stages.common.errors import ParamsError
    from stages.training.axes import principal_axes

    if dim > turns.dim:
        raise ParamsError(f"heads.dim: expected at most the encoder's {turns.dim}, got {dim}; next: lower it")
    if dim == turns.dim:
        return np.eye(dim, dtype=np.float32)
    return principal_axes(pairs.reply_turns(slice(None)).numpy(), dim)


def train_heads(
    params: Params, turns: TurnVectors, pairs: pl.DataFrame, source: Path, directory: Path
) -> tuple[HeadsModel, dict[str, float]]:
    """Train both heads together, by in-batch negatives.

    Args:
        params: section `heads`.
        turns: vectors of all turns.
        pairs: all pairs.
        source: the file that they came from, recorded by digest.
        directory: receives the curves.

    Returns:
        The best model by validation, in evaluation mode, and its metrics.

    Raises:
        DataError: if there are too few pairs to train or to validate on.
    """
    import polars as pl
    import pytorch_lightning

    from rejoinder.parts import HEADS
    from stages.common.errors import DataError
    from stages.heads.model import HeadsModel
    from stages.heads.pairs import pair_loader, pair_rows
    from stages.heads.validation import BLOCK, heads_r_at_1
    from stages.training.lightning_module import TrainedModule
    from stages.training.loop import train
    from stages.training.losses import in_batch_negatives

    training, validation = (
        pair_rows(pairs.filter(pl.col("split") == split), turns, params.turns) for split in ("train", "validation")
    )
    if len(validation) < BLOCK:
        raise DataError(
            f"{source}: expected at least {BLOCK} validation pairs to choose heads by, got {len(validation)}. "
            "Next: add conversations, or raise dialogues.validation_share"
        )
    pytorch_lightning.seed_everything(params.seed, workers=True, verbose=False)
    model = HeadsModel(
        params.kind, params.turns, first_axes(turns, training, params.dim),
        hidden=params.hidden, dropout=params.dropout, scale=params.scale,
    )  # fmt: skip

    def loss(heads: HeadsModel, batch: Any) -> Tensor:
        context, reply, keys = batch
        return in_batch_negatives(heads.context(*context), heads.reply(reply), keys, heads.log_scale.exp())

    module = TrainedModule(model, loss, params, lambda: heads_r_at_1(model, validation, params.seed), training.ids)
    before = module.validate()
    loader = pair_loader(training, params.batch_size, params.seed)
    train(
        module, loader, params, stage=HEADS.name, untrained=before, data={"pairs": source}, directory=directory,
        dropout=params.dropout > 0,
    )  # fmt: skip
    weights = sum(part.numel() for part in model.parameters())
    metrics = {"untrained_r_at_1": before, "r_at_1": module.validate(), "pairs": len(training), "weights": weights}
    return model.cpu().eval(), metrics


def write_bundle(bundle: Path, model: HeadsModel, vectorizer: Vectorizer, params: Params) -> None:
    """Export both heads, record their probes, write the manifest.

    Args:
        bundle: directory to make.
        model: trained, in evaluation mode.
        vectorizer: made the vectors that it was trained on.
        params: section `heads`.
    """
    import torch

    from rejoinder.parts import HEADS
    from rejoinder.parts.heads import CONTEXT, REPLY, Heads, write_probes
    from rejoinder.parts.probes import TEXTS
    from rejoinder.release.manifest import write_manifest
    from stages.training.onnx_files import export_onnx

    bundle.mkdir()
    rows = {0: "rows"}
    turns, flags = torch.zeros(2, params.turns, vectorizer.dim), torch.ones(2, params.turns)
    export_onnx(
        model.context, {"turns": (turns, rows), "mask": (flags, rows), "own": (flags, rows)}, bundle / CONTEXT
    )
    export_onnx(model.reply, {"turns": (turns[:, 0], rows)}, bundle / REPLY)
    facts = {"turns": params.turns, "turn_dim": vectorizer.dim, "dim": params.dim}
    write_probes(bundle, Heads(bundle, **facts), vectorizer.encode(TEXTS))
    write_manifest(bundle, HEADS.bundle, vectorizer.id, {**facts, "kind": params.kind})


def run(params: Params, *, dialogues: Path, export: Path, turns: Path, out: Path) -> None:
    """Train the heads.

    Args:
        params: section `heads`.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        turns: output of the stage `turns`.
        out: directory to make: heads/ (the bundle), curves, metrics.json.
    """
    import polars as pl

    from rejoinder.parts import HEADS, VECTORIZER
    from rejoinder.parts.opened import open_model
    from stages.common.turn_vectors import TurnVectors

    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    source = dialogues / "pairs.parquet"
    columns = ["pair_id", "split", "context", "context_own", "reply"]
    with atomic_directory(out) as directory:
        model, metrics = train_heads(
            params, TurnVectors(turns, vectorizer.id), pl.read_parquet(source, columns=columns), source, directory
        )
        write_bundle(directory / HEADS.bundle, model, vectorizer, params)
        write_json(directory / "metrics.json", {"validation": metrics})
