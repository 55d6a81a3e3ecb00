"""N-grams: how many people have used the rarest words of a text, and of its neighbouring pairs and triples.

Whoever alone says a word, a pair or a triple could be told by it; text that is released keeps n-grams of many
people alone (user thresholds on n-grams, as large releases of texts use them).
"""

from __future__ import annotations

import polars as pl

from stages.common.text_keys import words_of


def _ngrams(keys: pl.DataFrame, n: int) -> pl.DataFrame:
    """Every run of n words of every row.

    Args:
        keys: with `row` and `key`, a canonical text.
        n: words of a run.

    Returns:
        row, ngram.
    """
    worded = keys.select("row", word=words_of(pl.col("key")).str.split(" ")).explode("word")
    followed = [pl.col("word").shift(-place).over("row") for place in range(n)]
    runs = worded.select("row", ngram=pl.concat_str(followed, separator=" "))
    return runs.filter(pl.col("ngram").is_not_null(), pl.col("ngram") != "")


def fewest_users(texts: pl.DataFrame, said: pl.DataFrame, n: int) -> pl.Series:
    """How many people have used the rarest n-gram of each text.

    Args:
        texts: column key, distinct canonical forms.
        said: messages; columns sender and key.
        n: words of an n-gram.

    Returns:
        UInt32 [texts]; null for a text of fewer words.
    """
    messages = said.select("sender", "key").unique().with_row_index("row")
    used = (
        _ngrams(messages, n)
        .join(messages.select("row", "sender"), on="row")
        .group_by("ngram")
        .agg(users=pl.col("sender").n_unique())
    )
    rows = texts.select("key").with_row_index("row")
    rarest = (
        _ngrams(rows, n)
        .join(used, on="ngram", how="left")
        .group_by("row")
        .agg(users=pl.col("users").fill_null(0).min())
    )
    return rows.join(rarest, on="row", how="left", maintain_order="left")["users"].cast(pl.UInt32)
