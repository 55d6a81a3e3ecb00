"""Samples: what the finished bundle says to contexts of the training split, once, for all who judge it.

Those contexts, because what a model has learnt by heart comes out where it has learnt it. What the bundle itself
would withhold is among them, and marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rejoinder.parts.generator import open_generator
from rejoinder.progress import progress
from rejoinder.release.manifest import read_manifest

if TYPE_CHECKING:
    import polars as pl

#: Replies that are begun to each context.
EACH = 8
#: Contexts that are tried for as many samples as there are to be, and no more: one that finishes fewer is broken.
_LEAST = 2


def draw_samples(bundle: Path, pairs: Path, number: int, seed: int, sources: Sequence[str]) -> pl.DataFrame:
    """Draw replies from a bundle that was just written.

    Args:
        bundle: the generator's.
        pairs: pairs.parquet of the stage `dialogues`.
        number: samples.
        seed: of the choice of contexts and of the draws.
        sources: whose contexts, as the generator has learnt from them.

    Returns:
        pair_id, source, text, log_probability (nats), tokens, is_public (whether the bundle lets it be said); fewer
        than `number` rows if most replies do not end.
    """
    import polars as pl

    generator = open_generator(bundle, read_manifest(bundle))
    sampling = replace(generator.sampling, n=EACH)
    rows: list[tuple[Any, ...]] = []
    contexts = _contexts(pairs, -(-number // _LEAST), seed, sources)
    with progress("generator: samples", "sample", number) as advance:
        for place, (*whose, turns, own) in enumerate(contexts):
            if len(rows) >= number:
                break
            drawn = generator.generate(turns, own, sampling=sampling, seed=seed + place, is_public=False)
            rows += [(*whose, d.text, d.log_probability, d.tokens, generator.is_public(d.text)) for d in drawn]
            advance(len(drawn))
    schema = {
        "pair_id": pl.String, "source": pl.String, "text": pl.String, "log_probability": pl.Float64,
        "tokens": pl.Int64, "is_public": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows[:number], schema=schema, orient="row")


def _contexts(pairs: Path, number: int, seed: int, sources: Sequence[str]) -> list[tuple[Any, ...]]:
    """Contexts of the training split, in an order of chance: pair_id, source, turns, whose they are."""
    import polars as pl

    table = pl.scan_parquet(pairs).filter(pl.col("split") == "train", pl.col("source").is_in(list(sources)))
    found = table.select("pair_id", "source", "context", "context_own").sort("pair_id").collect()
    return list(found.sample(min(number, len(found)), shuffle=True, seed=seed).iter_rows())
