"""Silences: how long they are, and where one ends a dialogue.

The threshold is a percentile of the silences before an answer, that is, between two speakers: a percentile over all
messages would be pulled down by people who write in bursts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

CONVERSATION = ("source", "conversation_id")
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


def add_gaps(messages: pl.DataFrame) -> pl.DataFrame:
    """Put messages in order, and add the silence before each.

    Args:
        messages: a messages table, in any order.

    Returns:
        The rows by conversation and time, with `gap_s` (seconds since the message before it; null for the first
        of a conversation) and `answers` (whether another person sent that one; null as well).
    """
    ordered = messages.sort(*CONVERSATION, "sent_at", "order")
    gap = pl.col("sent_at") - pl.col("sent_at").shift(1).over(CONVERSATION)
    answers = pl.col("sender") != pl.col("sender").shift(1).over(CONVERSATION)
    return ordered.with_columns(gap_s=gap.dt.total_milliseconds() / 1000, answers=answers)


def gap_thresholds(messages: pl.DataFrame, percentile: float, floor_s: float) -> pl.DataFrame:
    """Longest silence inside a dialogue, by source: the percentile of silences before answers, at least the floor.

    Args:
        messages: with `gap_s` and `answers`.
        percentile: 0 to 100.
        floor_s: seconds; also the threshold of a source without any answer.

    Returns:
        source, percentile_s, threshold_s.
    """
    before_answers = pl.col("gap_s").filter("answers")
    by_source = messages.group_by("source", maintain_order=True).agg(
        percentile_s=before_answers.quantile(percentile / 100, "linear").fill_null(floor_s)
    )
    return by_source.with_columns(threshold_s=pl.max_horizontal("percentile_s", pl.lit(floor_s)))


def cut_dialogues(messages: pl.DataFrame, thresholds: pl.DataFrame) -> pl.DataFrame:
    """Add `dialogue`: its number within the conversation, one more after each silence above the threshold.

    Args:
        messages: with `gap_s`, in order.
        thresholds: as from `gap_thresholds`.

    Returns:
        The rows with `dialogue`; a silence cuts even between two messages of one sender.
    """
    joined = messages.join(thresholds.select("source", "threshold_s"), on="source", maintain_order="left")
    cut = (pl.col("gap_s") > pl.col("threshold_s")).fill_null(False).cast(pl.Int64)
    return joined.with_columns(dialogue=cut.cum_sum().over(CONVERSATION)).drop("threshold_s")


def gap_report(messages: pl.DataFrame, thresholds: pl.DataFrame) -> dict[str, Mapping[str, Any]]:
    """Sum up the silences of each source, in seconds.

    Args:
        messages: with `gap_s` and `answers`.
        thresholds: as from `gap_thresholds`.

    Returns:
        By source: percentile_s, threshold_s, and the percentiles over all messages (`before_merge`) and over
        answers only (`after_merge`: what is left once a sender's messages are one turn).
    """
    report: dict[str, Mapping[str, Any]] = {}
    for row in thresholds.to_dicts():
        source = row.pop("source")
        gaps = messages.filter(pl.col("source") == source).drop_nulls("gap_s")
        answers = gaps.filter("answers")
        report[source] = {**row, "before_merge": _percentiles(gaps), "after_merge": _percentiles(answers)}
    return report


def _percentiles(gaps: pl.DataFrame) -> dict[str, float | None]:
    return {f"p{p:g}": gaps["gap_s"].quantile(p / 100, "linear") for p in PERCENTILES}


def gap_histogram(messages: pl.DataFrame, thresholds: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows for a plot: silences before answers by power-of-two seconds, and each source's threshold."""
    edge = (2.0 ** pl.col("gap_s").clip(1).log(2).floor()).cast(pl.Int64)
    counted = messages.filter("answers").group_by("source", gap_s=edge).agg(turns=pl.len())
    return counted.join(thresholds, on="source").sort("source", "gap_s").to_dicts()
