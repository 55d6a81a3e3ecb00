"""The gate before any rule: what a stage of ours must have got right about a messages table as a whole.

Columns and types are checked by `stages.common.messages.part_paths`. Nothing here is a matter of single bad rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from stages.common.errors import DataError

KEYS = ("source", "conversation_id", "order")


def check_schema(parts: Sequence[Path]) -> None:
    """Check keys, their order, and that parts hold whole conversations.

    Args:
        parts: from `stages.common.messages.part_paths`.

    Raises:
        DataError: listing all problems of all parts.
    """
    problems: list[str] = []
    owned: list[pl.Series] = []
    for part in parts:
        keys = pl.read_parquet(part, columns=list(KEYS))
        problems += [f"{part}: {problem}" for problem in key_problems(keys)]
        # Hashes, as a table may have more conversations than fit in memory by name.
        owned.append(keys["conversation_id"].drop_nulls().unique().hash())
    together = pl.concat(owned)
    if shared := together.len() - together.n_unique():
        folder = parts[0].parent
        problems.append(f"{folder}: expected each conversation in one part, got {shared:,} in further ones")
    if problems:
        raise DataError("\n".join([*problems, "next: run the stage that writes this table again"]))


def key_problems(keys: pl.DataFrame) -> list[str]:
    """List what is wrong with the keys of one part.

    Args:
        keys: columns source, conversation_id and order, in the order of the part.

    Returns:
        One line a problem, with counts and without any id.
    """
    prefix = pl.col("source") + "/"
    counts = keys.select(
        source=pl.col("source").is_null().sum(),
        order=pl.col("order").is_null().sum(),
        conversation_id=(
            ~pl.col("conversation_id").str.starts_with(prefix) | (pl.col("conversation_id") == prefix)
        ).sum(),
        rising=(pl.col("order").diff().over("source", "conversation_id") <= 0).sum(),
    ).row(0, named=True)
    expected = {
        "source": "source: expected the reader's name in every row, got {:,} nulls",
        "order": "order: expected a number in every row, got {:,} nulls",
        "conversation_id": "conversation_id: expected '<source>/<id>', got {:,} of another form",
        "rising": "order: expected to rise within a conversation, got {:,} rows where it does not",
    }
    return [words.format(counts[name]) for name, words in expected.items() if counts[name]]
