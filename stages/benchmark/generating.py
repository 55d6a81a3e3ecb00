"""Generating: how likely the shipped generator finds replies that it never read, how varied it is, what it costs.

A short measure of the served form, for every build; `python -m benchmarks.generator` is the long one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.progress import track
from rejoinder.text import words
from stages.benchmark.comparison import Bootstrap
from stages.common.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from rejoinder.parts.generator import Generator

#: Replies that are drawn to one context where time is taken, and contexts.
_EACH, _TIMED = 8, 10
#: Words of samples that are looked at: the more there are, the more are repeated.
_WORDS = 5000
_MOST_NATS = 700  # a token, so that a perplexity is a number
Floats = npt.NDArray[np.float64]


def measure_generating(
    generator: Generator | None, champion: Generator | None, dialogues: Path, samples: Path, **how: int
) -> dict[str, Any]:
    """Measure a generator by test dialogues, and by what was drawn from it.

    Args:
        generator: the candidate's.
        champion: the champion's.
        dialogues: output of that stage.
        samples: samples.parquet of the stage `generator`.
        **how: `items`, `rounds` of the bootstrap, and `seed` of it and of the choice of replies.

    Returns:
        `perplexity` of a token with its interval over conversations, `nats_per_character`; `against_champion`, by
        how much the nats of the same replies are more or fewer, with its interval, or null; `distinct_1` and
        `distinct_2` of what may be said; seconds and CPU seconds of eight candidates. Only `is_there` without a
        generator.

    Raises:
        DataError: if it can say no held-out reply at all.
    """
    import polars as pl

    if generator is None:
        return {"is_there": False}
    drawn = pl.read_parquet(samples)
    asked = _asked(dialogues, drawn["source"].unique().to_list(), how["items"], how["seed"])
    nats, tokens = _nats(generator, asked)
    could = np.isfinite(nats)
    if not could.any():
        raise DataError(
            f"generator: expected likelihoods of {len(asked)} held-out replies, got not one that is a number; "
            "next: see generator.users in params.yaml, and the loss of its training"
        )
    kept = asked.filter(pl.Series(could))
    conversations = kept["conversation_id"].to_list()
    each = _ratio(nats[could], tokens[could].astype(np.float64), conversations, how)
    return {
        "is_there": True,
        "items": len(kept),
        "unsayable": len(asked) - len(kept),
        "perplexity": {name: math.exp(min(value, _MOST_NATS)) for name, value in each.items()},
        "nats_per_character": float(nats[could].sum() / kept["reply"].str.len_chars().sum()),
        "against_champion": champion and _against(champion, asked, nats, how),
        **distinct(drawn.filter("is_public")["text"].to_list()),
        **_cost(generator, asked),
    }


def _asked(dialogues: Path, sources: Sequence[str], replies: int, seed: int) -> pl.DataFrame:
    import polars as pl

    table = pl.scan_parquet(dialogues / "pairs.parquet")
    test = table.filter(pl.col("split") == "test", pl.col("source").is_in(list(sources))).sort("pair_id")
    found = test.select("conversation_id", "context", "context_own", "reply").collect()
    return found.sample(min(replies, len(found)), seed=seed)


def _nats(generator: Generator, asked: pl.DataFrame) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Minus the logarithm of each reply's probability, NaN where it cannot be said; its tokens."""
    rows = asked.select("context", "context_own", "reply").iter_rows()
    found = [
        generator.log_probabilities(turns, own, [reply])
        for turns, own, reply in track(list(rows), "benchmark: generator", "answer")
    ]
    return -np.concatenate([sums for sums, _ in found]), np.concatenate([tokens for _, tokens in found])


def _ratio(above: Floats, below: Floats, conversations: Sequence[str], how: dict[str, int]) -> dict[str, float]:
    """A sum over another, over replies, as `value`, with the interval's `low` and `high`."""
    bootstrap = Bootstrap(conversations, how["rounds"], how["seed"])
    return {"value": float(above.sum() / below.sum()), **bootstrap.interval(above, below)}


def _against(champion: Generator, asked: pl.DataFrame, nats: Floats, how: dict[str, int]) -> dict[str, float]:
    """Nats more than the champion's, as a share of them: of another tokenizer a perplexity is another scale."""
    theirs, _ = _nats(champion, asked)
    both = np.isfinite(nats) & np.isfinite(theirs)
    conversations = [name for name, counts in zip(asked["conversation_id"], both, strict=True) if counts]
    found = _ratio(nats[both], theirs[both], conversations, how)
    return {"difference": found.pop("value") - 1, **{name: bound - 1 for name, bound in found.items()}}


def distinct(texts: Sequence[str]) -> dict[str, float]:
    """Tell how varied texts are: different words, and pairs of neighbours, as shares of the first 5,000.

    Args:
        texts: in an order of chance.

    Returns:
        distinct_1 and distinct_2 (Li et al. 2016).
    """
    spoken = [words(text) for text in texts]
    singles = [word for said in spoken for word in said][:_WORDS]
    doubles = [pair for said in spoken for pair in pairwise(said)][:_WORDS]
    return {f"distinct_{n}": len(set(of)) / max(1, len(of)) for n, of in ((1, singles), (2, doubles))}


def _cost(generator: Generator, asked: pl.DataFrame) -> dict[str, float]:
    """Seconds of eight candidates, the median over contexts."""
    sampling = replace(generator.sampling, n=_EACH)
    wall, cpu = [], []
    for turns, own in asked.select("context", "context_own").head(_TIMED).iter_rows():
        began, spent = time.perf_counter(), time.process_time()
        generator.generate(turns, own, sampling=sampling, seed=0)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - spent)
    return {"seconds": float(np.median(wall)), "cpu_s": float(np.median(cpu))}
