"""Vectorizer: base encoder + (context, reply) pairs -> teacher, by in-batch negatives.

pairs -> last turns as context -> length-bucketed batches -> n x n comparisons -> best checkpoint by R@1
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.common.output import atomic_directory, write_json
from stages.training.params import ContrastiveParams

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from stages.training.encoder import SentenceEncoder


class Params(ContrastiveParams):
    """How the teacher is trained."""

    SHARED = ("base",)
    base: str
    """Untrained encoder to start from."""
    context_turns: int = Field(ge=1, le=16)
    """Turns before the reply that are encoded as its context."""
    max_length: int = Field(ge=8, le=512)
    """Tokens read of a text; longer texts lose their beginning."""
    frozen_layers: int = Field(ge=0)
    """Transformer layers, from the bottom, that stay as they are; above 0 the embeddings stay as well."""


def training_texts(train: pl.DataFrame, context_turns: int) -> tuple[list[str], list[str]]:
    """Contexts and replies.

    Args:
        train: n pairs of the training split.
        context_turns: turns joined into a context.

    Returns:
        n contexts and their n replies.
    """
    from rejoinder.text import context_text

    contexts = [context_text(turns, context_turns) for turns in train["context"].to_list()]
    return contexts, train["reply"].to_list()


def freeze(body: Any, layers: int) -> None:
    """Stop training of the embeddings and the lowest layers.

    Args:
        body: a Hugging Face encoder with `embeddings` and `encoder.layer`.
        layers: how many; 0 freezes nothing.

    Raises:
        ParamsError: if that leaves nothing to train.
    """
    from stages.common.errors import ParamsError

    if layers == 0:
        return
    if layers >= len(body.encoder.layer):
        most = len(body.encoder.layer) - 1
        raise ParamsError(f"vectorizer.frozen_layers: expected at most {most}, got {layers}; next: lower it")
    for part in (body.embeddings, *body.encoder.layer[:layers]):
        part.requires_grad_(False)


def pair_loader(encoder: SentenceEncoder, contexts: list[str], replies: list[str], params: Params) -> Any:
    """Batches of pairs: padded contexts, padded replies, and a number that is equal for equal replies."""
    import torch

    from stages.evaluation.candidates import reply_key
    from stages.training.encoder import pad
    from stages.training.loaders import bucketed_loader

    ids = encoder.token_ids(contexts), encoder.token_ids(replies)
    numbers: dict[str, int] = {}
    keys = torch.tensor([numbers.setdefault(reply_key(reply), len(numbers)) for reply in replies])

    def collate(rows: list[int]) -> Any:
        return pad([ids[0][r] for r in rows]), pad([ids[1][r] for r in rows]), keys[rows]

    lengths = [len(c) + len(r) for c, r in zip(*ids, strict=True)]
    return bucketed_loader(lengths, collate, batch_size=params.batch_size, seed=params.seed)


def run(params: Params, *, dialogues: Path, out: Path) -> None:
    """Train the teacher.

    Args:
        params: section `vectorizer`.
        dialogues: output of the stage `dialogues`.
        out: directory to make: teacher/, curves, metrics.json.
    """
    import polars as pl

    from stages.evaluation.candidates import Candidates
    from stages.training.encoder import load_base
    from stages.training.lightning_module import TrainedModule, encoder_r_at_1
    from stages.training.loop import train
    from stages.training.losses import in_batch_negatives

    pairs = pl.read_parquet(dialogues / "pairs.parquet").filter(pl.col("split") == "train")
    contexts, replies = training_texts(pairs, params.context_turns)
    encoder = load_base(params.base, max_length=params.max_length, context_turns=params.context_turns)
    freeze(encoder.body, params.frozen_layers)

    def loss(model: SentenceEncoder, batch: Any) -> Tensor:
        context, reply, keys = batch
        return in_batch_negatives(model(*context), model(*reply), keys, params.scale)

    validation = Candidates.load(dialogues / "validation")
    module = TrainedModule(
        encoder, loss, params, lambda: encoder_r_at_1(encoder, validation), pairs["pair_id"].to_list()
    )
    before = module.validate()
    loader = pair_loader(encoder, contexts, replies, params)
    with atomic_directory(out) as directory:
        train(
            module, loader, params, stage="vectorizer", untrained=before,
            data={"pairs": dialogues / "pairs.parquet"}, directory=directory,
        )  # fmt: skip
        encoder.save(directory / "teacher")
        metrics = {"untuned_r_at_1": before, "r_at_1": module.validate(), "pairs": len(replies)}
        write_json(directory / "metrics.json", {"validation": metrics})
