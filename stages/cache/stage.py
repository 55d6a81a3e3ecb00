"""Cache: commonest vetted phrases + model bundle -> the cache bundle, vectors by the exported vectorizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from rejoinder.parts import PHRASES, VECTORIZER
from stages.common.output import atomic_directory, write_json, write_rows
from stages.common.params import StageParams

if TYPE_CHECKING:
    import polars as pl


class Params(StageParams):
    """How many phrases the cache ships."""

    phrases: int = Field(ge=1)
    """Commonest phrases to keep; fewer if fewer were said by enough people."""


def coverage_curve(phrases: list[str], traffic: Mapping[str, int], points: int = 20) -> list[dict[str, float]]:
    """Share of later traffic that the n commonest phrases cover, for growing n.

    Args:
        phrases: canonical, commonest first; at least one.
        traffic: count of each canonical text of the later slice.
        points: values of n.

    Returns:
        Rows of phrases and share, by rising n; shares are 0 where there is no later traffic.
    """
    total = max(1, sum(traffic.values()))
    sizes = {max(1, round(len(phrases) * (n / points) ** 3)) for n in range(1, points + 1)}
    hits, rows = 0, []
    for size, phrase in enumerate(phrases, start=1):
        hits += traffic.get(phrase, 0)
        if size in sizes:
            rows.append({PHRASES.name: float(size), "share": hits / total})
    return rows


def later_turns(pairs: pl.DataFrame) -> Counter[str]:
    """What would have entered a dialogue in the later slice: the turn that every reply answers, canonical.

    Args:
        pairs: all pairs, with `late`.

    Returns:
        Count of each turn.
    """
    from stages.common.text_keys import normalized

    return Counter(normalized(pairs.filter(pairs["late"])["context"].list.last()).to_list())


def run(params: Params, *, dialogues: Path, export: Path, out: Path) -> None:
    """Build the cache bundle.

    Args:
        params: section `cache`.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        out: directory to make: cache/ (the bundle), coverage of messages and of turns, metrics.json.
    """
    import polars as pl

    from rejoinder.parts.opened import open_model
    from rejoinder.parts.phrases import write_cache
    from rejoinder.release.manifest import write_manifest
    from stages.common.encoding import encode_all

    vectorizer, _ = open_model(export / VECTORIZER.bundle)
    phrases = pl.read_parquet(dialogues / "phrases.parquet")["key"].to_list()[: params.phrases]
    messages = dict(pl.read_parquet(dialogues / "traffic.parquet").select("key", "count").rows())
    turns = later_turns(pl.read_parquet(dialogues / "pairs.parquet", columns=["late", "context"]))
    curves = {"message": coverage_curve(phrases, messages), "turn": coverage_curve(phrases, turns)}
    with atomic_directory(out) as directory:
        bundle = directory / PHRASES.bundle
        bundle.mkdir()
        write_cache(bundle, phrases, encode_all(vectorizer, phrases, "cache: encoding"))
        write_manifest(bundle, PHRASES.bundle, vectorizer.id, {PHRASES.name: len(phrases)})
        for name, curve in curves.items():
            write_rows(directory / f"coverage_{name}.json", curve)
        covered = {f"later_{name}s_covered": curve[-1]["share"] for name, curve in curves.items()}
        write_json(directory / "metrics.json", {PHRASES.name: len(phrases), **covered})
