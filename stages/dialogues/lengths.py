"""How long replies and contexts are in tokens: what a block of fixed length would cut. Nothing is dropped here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

BIN = 4  # tokens to a bar of the histogram
_BATCH = 4096  # words handed to the tokenizer at a time
_LIMIT = 2**20  # tokens; longer than any text, so that nothing is cut before it is measured


def token_counts(keys: pl.Series, tokenizer: Path) -> pl.Series:
    """Count the tokens of canonical texts, special tokens aside.

    Each distinct word is counted once, and a text is the sum of its words: exact for tokenizers that part words
    at blanks first, as BERT's do.

    Args:
        keys: n canonical forms.
        tokenizer: tokenizer.json.

    Returns:
        n counts, uint32.
    """
    from rejoinder.parts.tokens import open_tokenizer

    opened = open_tokenizer(tokenizer, _LIMIT)
    words = pl.DataFrame({"word": keys.str.split(" ")}).with_row_index("row").explode("word")
    distinct = words["word"].unique()
    counts: list[int] = []
    for start in range(0, len(distinct), _BATCH):
        batch = opened.encode_batch_fast(distinct[start : start + _BATCH].to_list(), add_special_tokens=False)
        counts += [len(encoding) for encoding in batch]
    counted = pl.DataFrame({"word": distinct, "tokens": pl.Series(counts, dtype=pl.UInt32)})
    return words.join(counted, on="word").group_by("row").agg(pl.col("tokens").sum()).sort("row")["tokens"]


def lengths(pairs: pl.DataFrame, context_turns: int) -> dict[str, pl.Series]:
    """Lengths as an encoder reads them, special tokens counted.

    Args:
        pairs: with `tokens` and `context_tokens`.
        context_turns: most turns of context.

    Returns:
        Tokens of each pair's reply, of the last two turns of its context, of the whole context, and of context and
        reply in one.
    """
    reply = pairs["tokens"]
    contexts = {n: pairs["context_tokens"].list.tail(n).list.sum() for n in (2, context_turns)}
    by_part = {f"context of {n}": counts + 2 for n, counts in contexts.items()}
    return {"reply": reply + 2, **by_part, "context and reply": contexts[context_turns] + reply + 3}


def length_report(by_part: dict[str, pl.Series], share: float) -> dict[str, dict[str, Any]]:
    """Sum up lengths, in tokens.

    Args:
        by_part: as from `lengths`.
        share: of the texts that a block must hold whole.

    Returns:
        By part: percentiles, p100 the longest, and `block`: the shortest length that holds that share.
    """
    return {
        part: {
            **{f"p{p}": _block(counts, p / 100) for p in (50, 90, 95, 99, 100)},
            "block": _block(counts, share),
        }
        for part, counts in by_part.items()
    }


def _block(counts: pl.Series, share: float) -> int:
    # Counted, not interpolated: a value between two lengths would hold less than the share.
    rising = counts.value_counts(sort=False).sort(counts.name)
    held = rising["count"].cum_sum() >= share * len(counts)
    return int(rising.filter(held)[0, 0])


def length_histogram(by_part: dict[str, pl.Series], report: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for a plot: pairs by bins of `BIN` tokens, all longer ones in the last, and each part's block."""
    last = max(entry["block"] for entry in report.values()) // BIN * BIN + BIN
    rows = []
    for part, counts in by_part.items():
        edges = (counts // BIN * BIN).clip(upper_bound=last).alias("tokens")
        for tokens, pairs in edges.value_counts().sort("tokens").iter_rows():
            rows.append({"part": part, "tokens": tokens, "pairs": pairs, "block": report[part]["block"]})
    return rows
