"""Ordinary turns: what people say all day, as examples of everything that a classifier must leave alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
