"""Wrong replies to tell from the right one: other replies of the same conversation, if possible of the same person.

From the same conversation, so that the topic does not give the right one away; of the same person, so that neither
spelling, length nor temper does. Only replies are drawn, never a dialogue's opening turn, and each stands about
equally often in the wrong place: what a reply says by itself must not tell whether it is right.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Rows = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint64]

_LOOK = 16  # replies looked at for each pair and circle; more are needed only where somebody repeats himself a lot


def add_distractors(pairs: pl.DataFrame, wanted: int, seed: int) -> pl.DataFrame:
    """Add `distractors`.

    The replies of one person in one conversation are put in a circle, in an order drawn by a keyed hash of
    `pair_id`; a pair takes those that follow its own. Where they do not suffice, the circle of the whole
    conversation follows. Left out is what has the same words as the reply, a turn of its context, or a distractor
    already taken.

    Args:
        pairs: with `said` and `context_said`.
        wanted: replies a pair; fewer in short conversations.
        seed: of the order.

    Returns:
        The pairs, in the same order, with `distractors` (list of strings) and `same_person` (how many of them the
        reply's own sender said).
    """
    order = _keyed(pairs["pair_id"], seed)
    own = _followers(_numbers(pairs, "conversation_id", "sender"), order)
    others = _followers(_numbers(pairs, "conversation_id"), order)
    candidates = np.concatenate([own, others], axis=1)
    taken = _first_fit(candidates, pairs["said"].to_numpy(), _matrix(pairs["context_said"]), wanted)
    rows, columns = np.nonzero(taken)
    chosen = pl.DataFrame(
        {
            "row": pl.Series(rows, dtype=pl.UInt32),
            "distractors": pairs["reply"].gather(candidates[rows, columns]),
            "same_person": pairs["sender"].gather(rows) == pairs["sender"].gather(candidates[rows, columns]),
        }
    )
    lists = chosen.group_by("row").agg("distractors", pl.col("same_person").sum())
    joined = pairs.with_row_index("row").join(lists, on="row", how="left", maintain_order="left").drop("row")
    return joined.with_columns(pl.col("distractors").fill_null([]), pl.col("same_person").fill_null(0))


def distractor_report(pairs: pl.DataFrame, wanted: int) -> dict[str, Any]:
    """Count pairs by their number of distractors, and what share of these the reply's own sender said."""
    counts = pairs["distractors"].list.len()
    own = int(pairs["same_person"].sum())
    return {
        "pairs_with": {str(n): int((counts == n).sum()) for n in range(wanted + 1)},
        "same_person_share": own / max(1, int(counts.sum())),
    }


def _keyed(ids: pl.Series, seed: int) -> Numbers:
    key = str(seed).encode()
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest() for text in ids)
    return np.frombuffer(digests, "<u8")


def _numbers(pairs: pl.DataFrame, *columns: str) -> Rows:
    return pairs.select(pl.struct(columns).rank("dense")).to_series().to_numpy().astype(np.int64)


def _followers(group: Rows, order: Numbers) -> Rows:
    """Rows that follow each row in the circle of its group, int64 [n, _LOOK]; -1 where the circle is closed."""
    circle = np.lexsort((order, group))
    starts = np.flatnonzero(np.diff(group[circle], prepend=-1))
    sizes = np.diff(starts, append=len(group))
    start, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    steps = np.arange(1, _LOOK + 1)
    place = np.arange(len(group)) - start
    following = circle[start[:, None] + (place[:, None] + steps) % size[:, None]]
    found = np.empty((len(group), _LOOK), np.int64)
    found[circle] = np.where(steps < size[:, None], following, -1)
    return found


def _matrix(lists: pl.Series) -> Numbers:
    """Lists of numbers as rows, the first number repeated where a list is shorter."""
    width = int(lists.list.len().max() or 1)  # type: ignore[arg-type]
    columns: list[Any] = [lists.list.get(i, null_on_oob=True).fill_null(lists.list.first()) for i in range(width)]
    return np.stack([column.to_numpy() for column in columns], axis=1)


def _first_fit(candidates: Rows, gold: Numbers, context: Numbers, wanted: int) -> npt.NDArray[np.bool_]:
    """Mark the first `wanted` candidates of each row that say something new, bool [n, candidates]."""
    said = gold[candidates]
    fits = (candidates >= 0) & (said != gold[:, None])
    for turn in context.T:
        fits &= said != turn[:, None]
    for column in range(1, said.shape[1]):
        earlier = fits[:, :column] & (said[:, :column] == said[:, [column]])
        fits[:, column] &= ~earlier.any(axis=1)
    first: npt.NDArray[np.bool_] = fits & (fits.cumsum(axis=1) <= wanted)
    return first
