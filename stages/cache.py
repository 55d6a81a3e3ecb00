"""Cache: commonest vetted phrases + model bundle -> the cache bundle, vectors by the exported vectorizer."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from stages.output import whole_directory, write_json, write_rows
from stages.params import StageParams


class Params(StageParams):
    """How many phrases the cache ships."""

    phrases: int = Field(ge=1)
    """Commonest phrases to keep; fewer if fewer were said by enough people."""


def coverage_curve(phrases: list[str], traffic: dict[str, int], points: int = 20) -> list[dict[str, float]]:
    """Share of later traffic that the n commonest phrases answer, for growing n.

    Args:
        phrases: canonical, commonest first.
        traffic: count of each canonical message of the later slice.
        points: values of n.

    Returns:
        Rows of phrases and share, by rising n.
    """
    total = sum(traffic.values())
    sizes = sorted({max(1, round(len(phrases) * (n / points) ** 3)) for n in range(1, points + 1)})
    hits, at = 0, dict[int, int]()
    for size, phrase in enumerate(phrases, start=1):
        hits += traffic.get(phrase, 0)
        at[size] = hits
    return [{"phrases": size, "share": at[size] / total} for size in sizes]


def run(params: Params, *, dialogues: Path, export: Path, out: Path) -> None:
    """Build the cache bundle.

    Args:
        params: section `cache`.
        dialogues: output of the stage `dialogues`.
        export: output of the stage `export`.
        out: directory to make: cache/ (the bundle), coverage.json, metrics.json.
    """
    import polars as pl

    from rejoinder.bundle import open_model
    from rejoinder.cache import write_cache
    from rejoinder.manifest import write_manifest
    from stages.encoding import encode_all

    vectorizer, _ = open_model(export / "model")
    phrases = pl.read_parquet(dialogues / "phrases.parquet")["key"].to_list()[: params.phrases]
    traffic = pl.read_parquet(dialogues / "traffic.parquet")
    curve = coverage_curve(phrases, dict(traffic.select("key", "count").rows()))
    with whole_directory(out) as directory:
        bundle = directory / "cache"
        bundle.mkdir()
        write_cache(bundle, phrases, encode_all(vectorizer, phrases, "cache"))
        write_manifest(bundle, "cache", vectorizer.id, {"phrases": len(phrases)})
        write_rows(directory / "coverage.json", curve)
        write_json(
            directory / "metrics.json", {"phrases": len(phrases), "later_traffic_covered": curve[-1]["share"]}
        )
