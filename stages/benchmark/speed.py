"""Speed, side by side in one run: CPU time, several rounds in turn, the median; and what opening costs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rejoinder.parts import REPLIES, Kind
from rejoinder.parts.arrays import Vectors
from stages.benchmark.unreleased import sign_unreleased

if TYPE_CHECKING:
    from rejoinder.parts.heads import Heads
    from rejoinder.parts.vectorizer import Vectorizer

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
    from transformers.utils import logging

    from rejoinder.text import normalize

    logging.set_verbosity_error()  # bars, and a report on the pooler that nobody uses
    logging.disable_progress_bar()
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

    from stages.training.encoder import CONFIG, PROJECTION

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


def measure_speed(model: Path, encoder: Path, base: str, texts: list[str], rounds: int) -> dict[str, Any]:
    """Every exported form on every engine against sentence-transformers, on the same texts in the same run.

    Args:
        model: the exported bundle.
        encoder: torch folder of what was exported, run by sentence-transformers with the same weights.
        base: names the untuned encoder.
        texts: what is encoded.
        rounds: how often.

    Returns:
        Rates per CPU-second; which execution this machine serves with, and its ratios; the cosine with the peer's
        vectors of those that bundles hold.
    """
    from rejoinder.parts.arrays import cosines
    from rejoinder.parts.choice import fastest, measure
    from rejoinder.parts.opened import open_model
    from rejoinder.parts.vectorizer import executions_here, load_vectorizer
    from stages.common.base_encoder import base_folder

    first, manifest = open_model(model)
    exported = {e: load_vectorizer(model, manifest, e) for e in executions_here(manifest)}

    with tempfile.TemporaryDirectory() as scratch:
        untuned = sentence_transformer(base_folder(base))
        peer = sentence_transformer(encoder, Path(scratch) / "encoder")
        encoders = {"sentence_transformers_untuned": untuned, "sentence_transformers_same": peer}
        encoders |= {str(execution): vectorizer.encode for execution, vectorizer in exported.items()}
        batched = per_cpu_second(encoders, texts, rounds)
        few = texts[: max(8, len(texts) // 8)]
        single = per_cpu_second({n: one_by_one(e) for n, e in encoders.items()}, few, rounds)
        agreement = cosines(first.encode(texts), peer(texts))
    served = str(fastest(measure(model, list(exported), partial(load_vectorizer, model, manifest))))
    return {
        "per_cpu_second": batched,
        "per_cpu_second_one_by_one": single,
        "served_by": served,
        "ratio_to_sentence_transformers_untuned": batched[served] / batched["sentence_transformers_untuned"],
        "ratio_to_sentence_transformers_same": batched[served] / batched["sentence_transformers_same"],
        "mean_cosine": float(agreement.mean()),
        "min_cosine": float(agreement.min()),
    }


def measure_search(index: Path, exported: Vectorizer, heads: Heads, queries: list[str]) -> dict[str, float]:
    """Searches per CPU-second over the index bundle, one query at a time, as many candidates as in serving."""
    from rejoinder.parts.replies import ReplyIndex
    from rejoinder.release.manifest import read_manifest

    opened = ReplyIndex(index, read_manifest(index))
    k = int(opened.facts["candidates"])
    vectors = heads.replies(exported.encode(queries))  # what is asked does not matter for the time it takes
    start = time.process_time()
    for row in range(len(vectors)):
        opened.search(vectors[row : row + 1], k)
    return {REPLIES.name: len(opened), "searches_per_cpu_second": len(vectors) / (time.process_time() - start)}


def open_cost(bundles: Mapping[Kind, Path]) -> dict[str, float]:
    """Time and memory to check the signature of a release, verify, open and probe it, in a fresh process.

    The first process, which finds out what runs the model fastest here, is not the one that counts.

    Args:
        bundles: bundle directory by kind.

    Returns:
        What `stages.benchmark.open_cost` prints.
    """
    with tempfile.TemporaryDirectory() as folder:
        signed = sign_unreleased(bundles, Path(folder))
        named = [f"{kind}={path}" for kind, path in bundles.items()]
        command = [sys.executable, "-m", "stages.benchmark.open_cost", *map(str, signed), *named]
        for _ in range(2):
            done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found
