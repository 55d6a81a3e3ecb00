"""Encoding speed, side by side in one run: CPU time, several rounds in turn, the median."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from rejoinder.parts import Kind
from rejoinder.parts.arrays import Vectors
from stages.evaluation.unreleased import sign_unreleased

Encode = Callable[[list[str]], Vectors]


def per_cpu_second(encoders: dict[str, Encode], texts: list[str], rounds: int) -> dict[str, float]:
    """Texts encoded per CPU-second.

    Args:
        encoders: by name.
        texts: what each encodes, in each round.
        rounds: how often; encoders take turns, so that a slow minute of the machine hits all of them.

    Returns:
        Rate by name, the median of the rounds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(rounds):
        for name, encode in encoders.items():
            start = time.process_time()
            encode(texts)
            seconds[name].append(time.process_time() - start)
    return {name: len(texts) / float(np.median(spent)) for name, spent in seconds.items()}


def one_by_one(encode: Encode) -> Encode:
    """The same encoder, given one text at a time."""
    return lambda texts: np.concatenate([encode([text]) for text in texts])


def sentence_transformer(folder: Path, scratch: Path | None = None) -> Encode:
    """Open an encoder with the library that most people would use instead of ours.

    Args:
        folder: a sentence-transformers folder, or one of our encoder folders.
        scratch: where to lay one of ours out for the library; None if `folder` is the library's own.

    Returns:
        Its encode function, with that library's defaults but no progress bar.
    """
    from sentence_transformers import SentenceTransformer

    from rejoinder.text import normalize

    model = SentenceTransformer(str(folder), device="cpu") if scratch is None else _modules(folder, scratch)

    def encode(texts: list[str]) -> Vectors:
        vectors: Vectors = model.encode(
            [normalize(t) for t in texts], batch_size=32, normalize_embeddings=True, show_progress_bar=False
        )
        return vectors

    return encode


def _modules(folder: Path, scratch: Path) -> "SentenceTransformer":  # type: ignore[name-defined] # noqa: F821, UP037
    import torch
    from safetensors.torch import load_file
    from sentence_transformers import SentenceTransformer, models

    from stages.nn.encoder import CONFIG, PROJECTION

    config = json.loads((folder / CONFIG).read_text())
    shutil.copytree(folder, scratch)
    body = models.Transformer(str(scratch), max_seq_length=config["max_length"])
    body.tokenizer.truncation_side = "left"
    parts = [body, models.Pooling(body.get_embedding_dimension(), "mean")]
    if (folder / PROJECTION).exists():
        weight = load_file(folder / PROJECTION)["weight"]
        parts.append(
            models.Dense(weight.shape[1], weight.shape[0], bias=False, activation_function=torch.nn.Identity(),
                         init_weight=weight)
        )  # fmt: skip
    return SentenceTransformer(modules=[*parts, models.Normalize()], device="cpu")


def open_cost(bundles: Mapping[Kind, Path]) -> dict[str, float]:
    """Time and memory to check the signature of a release, verify, open and probe it, in a fresh process.

    Args:
        bundles: bundle directory by kind.

    Returns:
        What `stages.evaluation.open_cost` prints.
    """
    with tempfile.TemporaryDirectory() as folder:
        signed = sign_unreleased(bundles, Path(folder))
        named = [f"{kind}={path}" for kind, path in bundles.items()]
        command = [sys.executable, "-m", "stages.evaluation.open_cost", *map(str, signed), *named]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found
