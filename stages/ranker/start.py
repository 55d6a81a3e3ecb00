"""Start: the weights that a ranker's training begins with, and what they have learnt from.

A pass over the packaged chats takes a minute on a GPU and hours on two cores, so the project ships what one GPU has
learnt (docs/measured/ranker-gpu.md). It may begin no build that would judge it by what it knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from stages.ranker.model import ContextOnce

#: The one tensor that is no weight: int64, digests of the conversations that were learnt from.
LEARNT = "learnt"
_WORDS = "words.weight"


def digests(conversations: Iterable[str]) -> npt.NDArray[np.int64]:
    """Digests of conversations' ids, int64, sorted."""
    found = {hashlib.sha256(name.encode()).digest()[:8] for name in conversations}
    return np.sort(np.frombuffer(b"".join(sorted(found)), np.int64))


def write_start(path: Path, weights: Mapping[str, Tensor], conversations: Iterable[str]) -> None:
    """Write what a model has learnt, in half precision, without its embeddings of words: those are the base's.

    Args:
        path: the file.
        weights: of the model, by name.
        conversations: ids of those that it has learnt from.
    """
    import torch
    from safetensors.torch import save_file

    kept = {name: part.half().contiguous() for name, part in weights.items() if name != _WORDS}
    save_file({**kept, LEARNT: torch.from_numpy(digests(conversations))}, path)


def load_start(path: Path, model: ContextOnce) -> npt.NDArray[np.int64]:
    """Begin with what was written.

    Args:
        path: by `write_start`.
        model: of the same layers and one output; gets its weights.

    Returns:
        Digests of the conversations that were learnt from.

    Raises:
        ParamsError: if the file is none of a ranker of these layers.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from stages.common.errors import ParamsError

    try:
        tensors = load_file(path)
        learnt = tensors.pop(LEARNT).numpy()
        expected = {name: part.shape for name, part in model.state_dict().items() if name != _WORDS}
        found = {name: part.shape for name, part in tensors.items()}
        is_fine = found == expected
    except (OSError, KeyError, SafetensorError):
        is_fine = False
    if not is_fine:
        raise ParamsError(
            f"ranker.start: expected weights for {len(model.layers)} layers, got another file: {path}. "
            "Next: correct ranker.layers or ranker.start, or start from the base: ranker.start: null"
        )
    model.load_state_dict({name: part.float() for name, part in tensors.items()}, strict=False)
    return np.asarray(learnt)


def check_unseen(learnt: npt.NDArray[np.int64], pairs: pl.DataFrame, erased: pl.DataFrame) -> None:
    """Refuse a start that knows what it would be judged by, or what must be forgotten.

    Args:
        learnt: digests of the conversations that it has learnt from.
        pairs: all of them, with source, split and conversation_id.
        erased: erased.parquet of the stage `ingest`; whoever was erased may have said anything in that source.

    Raises:
        DataError: if it does.
    """
    import polars as pl

    from stages.common.errors import DataError

    sources = erased.filter(pl.col("messages") > 0)["source"].unique().to_list()
    rules = (
        (pl.col("split") != "train", "of the validation or test split"),
        (pl.col("source").is_in(sources), "of a source from which somebody was erased"),
    )
    found = ((digests(pairs.filter(rule)["conversation_id"].unique()), why) for rule, why in rules)
    problems = [
        f"{count} conversations {why}" for names, why in found if (count := int(np.isin(names, learnt).sum()))
    ]
    if problems:
        raise DataError(
            f"ranker.start: expected weights that have not seen these, got {' and '.join(problems)} that they have "
            "learnt from. Next: train without them on a GPU (CONTRIBUTING.md), or start from the base: "
            "ranker.start: null"
        )
