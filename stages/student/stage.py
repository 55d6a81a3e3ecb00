"""Student: turns -> a teacher's vectors of them -> some of the encoder's layers, pulled onto these vectors.

Trained only where it is served (`shared.encoder`): the teacher, quantised, is the first thing to serve. No labels
are needed: each turn alone is moved onto its target, as turns are encoded alone (plain L2 on stored vectors, LEAF,
arXiv:2509.12539), at several prefixes, so that the first dimensions are good by themselves (Matryoshka
representations, arXiv:2205.13147).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from stages.common.output import atomic_directory, write_json
from stages.training.params import TrainingParams

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from rejoinder.parts.arrays import Vectors
    from stages.training.encoder import SentenceEncoder

#: Turns that projections are fitted on while layers are chosen, and turns that choose and validate.
_FITTED, _JUDGED = 1500, 1000


class Params(TrainingParams):
    """How the student is made and trained."""

    SHARED = ("encoder",)
    encoder: Literal["teacher", "student"]
    """Which encoder is served; nothing is trained here unless it is the student."""
    teacher: str
    """Whose vectors it learns: `trained` for the vectorizer, or one named as `shared.base` is."""
    layers: int = Field(ge=1)
    """How many of the trained encoder's layers are kept; which ones, validation turns decide."""
    dim: int = Field(ge=16, multiple_of=16)
    """Length of a vector; the principal axes of the teacher's, if that is shorter."""
    prefixes: list[int] = Field(min_length=1)
    """First dimensions that must be good by themselves, rising; `dim` last."""
    turns: int = Field(ge=100)
    """Training turns that the teacher encodes."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sorted(set(self.prefixes)) != self.prefixes or self.prefixes[-1] != self.dim or self.prefixes[0] < 1:
            raise ValueError(f"prefixes must rise and end with dim, {self.dim}")
        return self


def draw_turns(pairs: pl.DataFrame, split: str, limit: int, seed: int) -> list[str]:
    """Draw distinct turns of a split.

    Args:
        pairs: all pairs, with `split`, `context` and `reply`.
        split: whose.
        limit: turns wanted.
        seed: of the draw.

    Returns:
        At most `limit` canonical texts.
    """
    from stages.common.text_keys import distinct_turns

    turns = distinct_turns(pairs.filter(pairs["split"] == split))
    return [turns[row] for row in np.random.default_rng(seed).permutation(len(turns))[:limit]]


def targets_by(teacher: SentenceEncoder, texts: list[str], dim: int) -> Vectors:
    """What the student has to learn.

    Args:
        teacher: of any width.
        texts: n turns.
        dim: length wanted.

    Returns:
        float32 [n, dim], unit rows on the principal axes of the teacher's vectors, the strongest first.

    Raises:
        ParamsError: if the teacher's vectors are shorter.
    """
    from stages.common.errors import ParamsError
    from stages.training.axes import principal_axes
    from stages.training.encoder import encode

    if dim > teacher.config.dim:
        raise ParamsError(
            f"student.dim: expected at most the teacher's {teacher.config.dim}, got {dim}; next: lower it"
        )
    vectors = encode(teacher, texts, fast=True, label="student: encoding with the teacher")
    turned = vectors @ principal_axes(vectors, dim).T
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True), np.float32)


def distance(vectors: Tensor, targets: Tensor, prefixes: list[int]) -> Tensor:
    """Mean of 1 - cos over rows and prefixes: half the squared distance of unit vectors.

    Args:
        vectors: float [n, dim].
        targets: float [n, dim].
        prefixes: how many of the first dimensions are compared.

    Returns:
        Scalar, 0 where each prefix points where its target does.
    """
    import torch
    from torch.nn.functional import cosine_similarity

    return torch.stack([(1 - cosine_similarity(vectors[:, :p], targets[:, :p])).mean() for p in prefixes]).mean()


def turn_loader(student: SentenceEncoder, texts: list[str], targets: Vectors, params: Params) -> Any:
    """Batches of padded turns and their targets, float32 [n, dim]."""
    import torch

    from stages.training.encoder import pad
    from stages.training.loaders import bucketed_loader

    ids, wanted = student.token_ids(texts), torch.tensor(targets)

    def collate(rows: list[int]) -> Any:
        return pad([ids[row] for row in rows]), wanted[rows]

    return bucketed_loader([len(line) for line in ids], collate, batch_size=params.batch_size, seed=params.seed)


def train_student(
    params: Params, trained: SentenceEncoder, dialogues: Path, weights: Path, directory: Path
) -> None:
    """Choose layers, train, save.

    Args:
        params: section `student`.
        trained: the vectorizer's encoder, whose layers are kept.
        dialogues: output of the stage `dialogues`.
        weights: the encoder's file, recorded by digest.
        directory: receives student/, curves and metrics.json.
    """
    import polars as pl

    from stages.student.layers import choose, nearness
    from stages.training.encoder import encode, load_base
    from stages.training.lightning_module import TrainedModule
    from stages.training.loop import train

    length, read = trained.config.max_length, trained.config.context_turns
    teacher = (
        trained if params.teacher == "trained" else load_base(params.teacher, max_length=length, context_turns=read)
    )
    pairs = pl.read_parquet(dialogues / "pairs.parquet", columns=["split", "context", "reply"])
    texts, judged = (
        draw_turns(pairs, split, limit, params.seed)
        for split, limit in (("train", params.turns), ("validation", _JUDGED))
    )
    targets = targets_by(teacher, [*texts, *judged], params.dim)
    targets, wanted = targets[: len(texts)], targets[len(texts) :]
    student, layers = choose(trained, params.layers, (texts[:_FITTED], targets[:_FITTED]), (judged, wanted))

    def loss(model: SentenceEncoder, batch: Any) -> Tensor:
        tokens, there = batch
        return distance(model(*tokens), there, params.prefixes)

    module = TrainedModule(
        student, loss, params, lambda: nearness(encode(student, judged, fast=True), wanted),
        [f"turn {row}" for row in range(len(texts))],
    )  # fmt: skip
    before = module.validate()
    loader = turn_loader(student, texts, targets, params)
    train(
        module, loader, params, stage="student", untrained=before,
        data={"pairs": dialogues / "pairs.parquet", "teacher": weights}, directory=directory, measure="cosine",
    )  # fmt: skip
    student.save(directory / "student")
    metrics = {"untrained_cosine": before, "cosine": module.validate(), "turns": len(texts), "layers": layers}
    write_json(directory / "metrics.json", {"validation": metrics})


def run(params: Params, *, dialogues: Path, vectorizer: Path, out: Path) -> None:
    """Make the student, if it is to be served.

    Args:
        params: section `student`.
        dialogues: output of the stage `dialogues`.
        vectorizer: output of the stage `vectorizer`.
        out: directory to make: student/, curves, metrics.json; the last two empty where the teacher is served.
    """
    from stages.common.output import write_rows
    from stages.training.encoder import SentenceEncoder

    with atomic_directory(out) as directory:
        if params.encoder == "teacher":
            write_json(directory / "metrics.json", {"validation": {}})
            for curve in ("loss", "validation"):
                write_rows(directory / f"{curve}.json", [])
            return
        folder = vectorizer / "teacher"
        weights = folder / "model.safetensors"
        train_student(params, SentenceEncoder.load(folder), dialogues, weights, directory)
