"""Branches: conversations that repeat turns of another one, of which they are a part; each turn counts once."""

from __future__ import annotations

import polars as pl

from stages.common.sources import BRANCHED

_SOURCES = "|".join(sorted(BRANCHED))
_BRANCH = rf"^((?:{_SOURCES})/[^/]+)/"
_OF_ONE = rf"^((?:{_SOURCES})/[^/-]+)-"


def root() -> pl.Expr:
    """The conversation that a conversation is a branch of; itself where it is none."""
    of_branch = pl.col("conversation_id").str.extract(_BRANCH)
    return pl.coalesce(of_branch, "conversation_id").alias("conversation_id")


def kept_together() -> pl.Expr:
    """What must be in one split: all of one person where ids tell, else a conversation and its branches."""
    return pl.coalesce(pl.col("conversation_id").str.extract(_OF_ONE), root())


def first_told(ids: str) -> pl.Expr:
    """Whether a row is no repetition: the first one of its conversation and branches with these ids.

    Args:
        ids: the column that has them.

    Returns:
        A boolean a row; rows must be in order, a conversation before its branches.
    """
    return pl.struct(root(), ids).is_first_distinct()
