"""When two texts count as the same: equal after normalisation, or, more loosely, equal in their words."""

from __future__ import annotations

import polars as pl

from rejoinder.text import normalize


def normalized(texts: pl.Series) -> pl.Series:
    """Canonical form of every text; each distinct text is normalised once.

    Args:
        texts: n strings.

    Returns:
        n strings.
    """
    distinct = texts.unique()
    keys = pl.Series([normalize(text) for text in distinct.to_list()], dtype=pl.String())
    return texts.replace_strict(distinct, keys, return_dtype=pl.String())


def distinct_turns(pairs: pl.DataFrame) -> list[str]:
    """Canonical forms of all turns, of contexts and replies alike.

    Args:
        pairs: with `context` (lists) and `reply`.

    Returns:
        Distinct canonical texts, sorted.
    """
    said = pl.concat([pairs["context"].explode().drop_nulls(), pairs["reply"]]).unique()
    return normalized(said).unique().sort().to_list()


def words_of(key: pl.Expr) -> pl.Expr:
    """The words of a canonical form, one blank between them: punctuation and emoji aside."""
    return key.str.replace_all(r"\W+", " ").str.strip_chars(" ")


def same_words(key: pl.Expr) -> pl.Expr:
    """A number that is equal for texts of equal words; texts without words are compared as they are."""
    words = words_of(key)
    return pl.when(words == "").then(key).otherwise(words).hash(seed=0)
