"""Figures: the few that one line of `dvc metrics show` holds, and the rows of the plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rejoinder.parts import PHRASES
from stages.common.output import write_rows


def write_plots(
    directory: Path, rows: list[dict[str, object]], rates: dict[str, float], ranking: dict[str, Any]
) -> None:
    """Write what dvc plots.

    Args:
        directory: an existing one.
        rows: of every list, a system and a figure each.
        rates: texts per CPU-second, by encoder.
        ranking: what the ranker is worth.
    """
    for kind in dict.fromkeys(str(row["list"]) for row in rows):
        write_rows(directory / f"retrieval_{kind}.json", [row for row in rows if row["list"] == kind])
    write_rows(directory / "speed.json", [{"encoder": n, "per_cpu_second": r} for n, r in rates.items()])
    for kind in ("hard", "random"):
        bins = ranking[kind]["bins"] if ranking["is_used"] else [{"sure": 0.0, "right": 0.0, "slates": 0}]
        write_rows(directory / f"reliability_{kind}.json", bins)


def summary(metrics: dict[str, Any]) -> dict[str, float]:
    """The dozen figures that one line of `dvc metrics show` holds.

    Args:
        metrics: everything measured.

    Returns:
        Figures by name.
    """
    random, hard = metrics["retrieval"]["random"], metrics["retrieval"]["hard"]
    gain = metrics["gains"]["served_over_untuned"]["random"]
    ranking, generating = metrics["ranking"], metrics["generating"]
    return {
        "r_at_1.untuned": random["untuned"]["r_at_1"],
        "r_at_1.teacher": random["teacher"]["r_at_1"],
        "r_at_1.served": random["served"]["r_at_1"],
        "r_at_1.hard": hard["served"]["r_at_1"],
        "r_at_10.full": metrics["retrieval"]["full"]["served"]["r_at_10"],
        "gain.low": gain["low"],
        "gain.high": gain["high"],
        "speed.ratio": metrics["speed"]["ratio_to_sentence_transformers_untuned"],
        "cosine.min": metrics["speed"]["min_cosine"],
        "size_mb": sum(metrics["sizes_mb"].values()),
        "ask.cpu_s": metrics["opening"]["process_cpu_s"],
        "cache.turns": metrics[PHRASES.bundle]["later_turns_covered"],
        "noise.lost": metrics["noise"]["served"]["lost"],
        "turns.model": metrics["replay"]["needed_model"],
        "ranker.gain": ranking["hard"]["gain"]["difference"] if ranking["is_used"] else 0.0,
        "generator.perplexity": generating["perplexity"]["value"] if generating["is_there"] else 0.0,
    }
