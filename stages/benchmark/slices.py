"""Slices: where what is served is better or worse, by turns of context, by length of the last one, by source."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from stages.evaluation.candidates import Candidates
from stages.evaluation.retrieval import Ranks

_LENGTHS = (2, 5, 10, 20)  # words of the last turn, upper ends
_LEAST = 30  # items; of fewer, a share says nothing


def slices(rank: Ranks, candidates: Candidates, pairs: Path, at: int = 1) -> dict[str, dict[str, dict[str, float]]]:
    """Share of items whose reply is found, by slice.

    Args:
        rank: of each item, int64 [items].
        candidates: the lists that were ranked.
        pairs: pairs.parquet, which knows the sources.
        at: how far up the reply must be.

    Returns:
        By property and its value: items and the share; slices of few items are left out.
    """
    sources = pl.read_parquet(pairs, columns=["pair_id", "source"])
    last = pl.col("context").list.last()
    words = last.str.count_matches(r"\w+")
    table = candidates.items.join(sources, on="pair_id", how="left", maintain_order="left").select(
        turns=pl.col("context").list.len().cast(pl.String),
        last_words=words.cut(_LENGTHS, labels=_labels()).cast(pl.String),
        source="source",
        hit=pl.Series(rank <= at),
    )
    return {name: _shares(table, name) for name in ("turns", "last_words", "source")}


def _labels() -> list[str]:
    starts = [0, *(end + 1 for end in _LENGTHS)]
    return [f"{start}-{end}" for start, end in zip(starts, _LENGTHS, strict=False)] + [f"{starts[-1]}+"]


def _shares(table: pl.DataFrame, name: str) -> dict[str, dict[str, float]]:
    found = table.group_by(name).agg(items=pl.len(), share=pl.col("hit").mean()).filter(pl.col("items") >= _LEAST)
    return {row[name]: {"items": row["items"], "share": row["share"]} for row in found.sort(name).to_dicts()}
