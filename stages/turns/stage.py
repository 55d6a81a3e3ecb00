"""Turns: pairs + model bundle -> the vector of every distinct turn, by the exported vectorizer.

Whatever reads vectors of turns after this (heads, index, benchmark) reads these: what is trained on is what serves.
Those that the same vectorizer made in an earlier run are kept (dvc.yaml lets them lie), those of lost turns go.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.output import atomic_directory
from stages.common.params import StageParams

if TYPE_CHECKING:
    from rejoinder.parts.arrays import Vectors
    from rejoinder.parts.vectorizer import Vectorizer


class Params(StageParams):
    """Nothing to choose: every turn of the pairs is encoded."""


def encode_new(vectorizer: Vectorizer, texts: list[str], earlier: Path) -> Vectors:
    """Encode what an earlier run has not.

    Args:
        vectorizer: the exported one.
        texts: n distinct canonical texts.
        earlier: what `write_turns` wrote then; anything else there counts as nothing.

    Returns:
        float32 [n, dim].
    """
    import numpy as np

    from rejoinder.errors import RejoinderError
    from stages.common.encoding import encode_all
    from stages.common.turn_vectors import TurnVectors

    vectors = np.empty((len(texts), vectorizer.dim), np.float32)
    new = list(range(len(texts)))
    try:
        turns = TurnVectors(earlier, vectorizer.id)
        if turns.are_of(vectorizer):
            rows = turns.table.rows_of(texts)
            vectors[rows >= 0] = turns.table.stored(rows[rows >= 0])
            new = np.flatnonzero(rows < 0).tolist()
    except (RejoinderError, OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # none, another vectorizer's, or damaged: everything is encoded
    if new:
        vectors[new] = encode_all(vectorizer, [texts[row] for row in new], "turns: encoding")
    return vectors


def run(params: Params, *, dialogues: Path, export: Path, out: Path) -> None:
    """Encode all turns.

    Args:
        params: section `turns`.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        out: directory to make: keys and vectors (no text), turns.json.
    """
    import polars as pl

    from rejoinder.parts import VECTORIZER
    from rejoinder.parts.opened import open_model
    from stages.common.text_keys import distinct_turns
    from stages.common.turn_vectors import write_turns

    del params
    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    texts = distinct_turns(pl.read_parquet(dialogues / "pairs.parquet", columns=["context", "reply"]))
    vectors = encode_new(vectorizer, texts, out)
    with atomic_directory(out) as directory:
        write_turns(directory, vectorizer, texts, vectors)
