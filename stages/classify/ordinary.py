"""Ordinary turns: what people say all day, as examples of everything that a classifier must leave alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rejoinder.parts.arrays import Vectors

if TYPE_CHECKING:
    from stages.common.turn_vectors import TurnVectors

#: What is learnt from, and what thresholds are chosen by.
SPLITS = ("train", "validation")


def ordinary_turns(pairs: Path, split: str, most: int, seed: int) -> list[str]:
    """Draw distinct turns that were answered.

    Args:
        pairs: pairs.parquet of the stage `dialogues`.
        split: "train" to learn from, "validation" to choose by.
        most: how many to draw; all if there are fewer.
        seed: of the draw.

    Returns:
        The turns.
    """
    import polars as pl

    rows = pl.scan_parquet(pairs).filter(pl.col("split") == split)
    turns = rows.select(pl.col("context").list.last()).unique().collect()["context"].sort().to_list()
    chosen = np.random.default_rng(seed).choice(len(turns), min(most, len(turns)), replace=False)
    return [turns[row] for row in sorted(chosen.tolist())]


def far_turns(turns: Sequence[str], known: TurnVectors, phrases: Vectors, most: float) -> list[str]:
    """Leave out the turns that come near a phrase.

    Args:
        turns: ordinary ones.
        known: has their vectors.
        phrases: float32 [n, dim].
        most: cosine from which on a turn is left out.

    Returns:
        The others.
    """
    nearest = (known.of(list(turns)) @ phrases.T).max(axis=1)
    return [turn for turn, cosine in zip(turns, nearest.tolist(), strict=True) if cosine < most]
