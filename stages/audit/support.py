"""How many people stand behind each phrase that a build offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from rejoinder.text import normalize
from stages.common.messages import part_paths
from stages.common.text_keys import normalized


def senders_by_phrase(messages: Path) -> dict[str, int]:
    """Count the people who said every phrase, independently of the stage that chose the phrases.

    Args:
        messages: a validated messages table.

    Returns:
        Canonical phrase -> number of distinct senders; bots are no people.
    """
    said = pl.concat(
        pl.read_parquet(part, columns=["text", "sender", "role"]).filter(role="user").drop("role").unique()
        for part in part_paths(messages)
    ).unique()
    counted = said.group_by(key=normalized(said["text"])).agg(pl.col("sender").n_unique())
    return dict(counted.iter_rows())


def below(phrases: Iterable[str], senders: Mapping[str, int], least: int) -> int:
    """Count the phrases that fewer people have said than there must be.

    Args:
        phrases: what a build offers.
        senders: from `senders_by_phrase`.
        least: distinct senders that a phrase needs.

    Returns:
        How many phrases have fewer.
    """
    return sum(senders.get(normalize(phrase), 0) < least for phrase in phrases)
