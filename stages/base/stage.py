"""Base: candidates + vectors of all turns -> replies worth searching: common in meaning, nobody's own, distinct.

candidates (n-grams of many people) -> people who said something near -> statements about one person only if several
said them word for word -> the best formed of near-duplicates
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from stages.common.output import atomic_directory, write_json, write_rows
from stages.common.params import StageParams

if TYPE_CHECKING:
    import polars as pl

    from rejoinder.parts.arrays import Vectors
    from rejoinder.parts.vectorizer import Vectorizer
    from stages.common.turn_vectors import TurnVectors

#: What the plot of sizes varies: cosines and numbers of people.
COSINES, PEOPLE = (0.65, 0.7, 0.75, 0.8, 0.85), (2, 3, 5)
#: Held-out replies that coverage is measured on, at most.
_HELD_OUT = 3000


class Params(StageParams):
    """What may be said again."""

    people: int = Field(ge=1)
    """k: so many different people must have said something near; a statement about one person, word for word."""
    near: float = Field(gt=0, le=1)
    """Cosine from which two turns count as near."""
    same: float = Field(gt=0, le=1)
    """Cosine from which two replies are the same: the best formed one stays."""


def vectors_of(vectorizer: Vectorizer, turns: TurnVectors, texts: list[str]) -> Vectors:
    """Vectors of texts, encoding only what was nobody's turn.

    Args:
        vectorizer: the exported one.
        turns: of all turns.
        texts: n canonical forms.

    Returns:
        float32 [n, dim].
    """
    from stages.common.encoding import encode_all

    rows = turns.table.rows_of(texts)
    vectors = np.empty((len(texts), turns.dim), np.float32)
    known, new = rows >= 0, np.flatnonzero(rows < 0)
    vectors[known] = turns.table.vectors(rows[known])
    if len(new):
        vectors[new] = encode_all(vectorizer, [texts[row] for row in new], "base: encoding")
    return vectors


def well_formed(replies: pl.DataFrame) -> pl.DataFrame:
    """Sort replies, the best first: written as a sentence, then said by many, then often.

    Args:
        replies: with text, near (people) and count.

    Returns:
        The rows in another order.
    """
    import polars as pl

    sentence = pl.col("text").str.contains(r"^\p{Lu}").cast(pl.Int8)
    ended = pl.col("text").str.contains(r"[.!?…)]$").cast(pl.Int8)
    return replies.sort(
        [sentence + ended, "near", "count", "key"], descending=[True, True, True, False], maintain_order=True
    )


def coverage(near: Any, base: Vectors, held_out: Vectors, near_from: float) -> list[dict[str, Any]]:
    """Rows of a plot: for several thresholds, how large the base would be and what it would cover.

    Args:
        near: int64 [n, cosines], people near each candidate.
        base: float32 [n, dim], the candidates.
        held_out: float32 [m, dim], replies of validation conversations.
        near_from: cosine from which a held-out meaning counts as covered.

    Returns:
        people, cosine, size, covered (share of held-out replies).
    """
    cosines = held_out @ base.T >= near_from
    rows = []
    for people in PEOPLE:
        for column, cosine in enumerate(COSINES):
            kept = near[:, column] >= people
            covered = float(cosines[:, kept].any(1).mean()) if kept.any() and len(cosines) else 0.0
            rows.append({"people": str(people), "cosine": cosine, "size": int(kept.sum()), "covered": covered})
    return rows


def choose(candidates: pl.DataFrame, vectors: Vectors, params: Params) -> tuple[pl.DataFrame, dict[str, int]]:
    """Apply the rules.

    Args:
        candidates: with key, text, senders, count, near.
        vectors: float32 [n, dim] of them.
        params: section `base`.

    Returns:
        Replies with text, senders (people near), count; and how many left for which reason.
    """
    import polars as pl

    from stages.base.meanings import distinct
    from stages.base.personal import is_personal

    personal = pl.Series([is_personal(text) for text in candidates["text"].to_list()], dtype=pl.Boolean)
    judged = candidates.with_columns(personal=personal).with_row_index("row")
    uncommon = pl.col("near") < params.people
    own = ~uncommon & pl.col("personal") & (pl.col("senders") < params.people)
    fit = well_formed(judged.filter(~uncommon & ~own))
    kept = fit[distinct(vectors[fit["row"].to_numpy()], params.same)]
    left = {
        "uncommon": len(judged.filter(uncommon)),
        "of_one_person": len(judged.filter(own)),
        "near_duplicates": len(fit) - len(kept),
    }
    return kept.select("text", "near", "count").rename({"near": "senders"}).sort("text"), left


def run(params: Params, *, dialogues: Path, export: Path, turns: Path, out: Path) -> None:
    """Choose the reply base.

    Args:
        params: section `base`.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        turns: output of the stage `turns`.
        out: directory to make: replies.parquet, coverage.json, metrics.json.

    Raises:
        DataError: if nothing is left; says what took how many.
    """
    import polars as pl

    from rejoinder.parts import VECTORIZER
    from rejoinder.parts.opened import open_model
    from stages.base.meanings import people_near
    from stages.common.errors import DataError
    from stages.common.turn_vectors import TurnVectors

    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    table = TurnVectors(turns, vectorizer.id)
    candidates = pl.read_parquet(dialogues / "replies.parquet")
    vectors = vectors_of(vectorizer, table, candidates["key"].to_list())
    pairs = pl.read_parquet(dialogues / "pairs.parquet", columns=["split", "sender", "role", "reply"])
    said = pairs.filter(split="train", role="user").select("sender", "reply").unique().sort("sender", "reply")
    senders = said["sender"].rank("dense").cast(pl.Int64).to_numpy() - 1
    near = people_near(vectors, table.of(said["reply"].to_list()), senders, [params.near, *COSINES])
    replies, left = choose(candidates.with_columns(near=pl.Series(near[:, 0])), vectors, params)
    if replies.is_empty():
        counts = ", ".join(f"{reason} {count:,}" for reason, count in left.items())
        raise DataError(
            f"{dialogues / 'replies.parquet'}: no reply is left of {len(candidates):,} ({counts}). "
            "Next: add conversations, or lower base.people or base.near"
        )
    held_out = pairs.filter(pl.col("split") == "validation", pl.col("reply").str.count_matches(" ") >= 2)
    asked = table.of(held_out["reply"].unique().sort().to_list()[:_HELD_OUT])
    with atomic_directory(out) as directory:
        replies.write_parquet(directory / "replies.parquet")
        write_rows(directory / "coverage.json", coverage(near[:, 1:], vectors, asked, params.near))
        write_json(directory / "metrics.json", {"candidates": len(candidates), **left, "kept": len(replies)})
