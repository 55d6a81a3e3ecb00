"""Conversations that repeat another one, as exports of both sides of a chat do."""

from __future__ import annotations

from collections import Counter

import polars as pl

from stages.common.text_keys import words_of

_COMMON = 50  # conversations; a turn in so many of them is an opener: it tells nothing, and comparing it costs
_LONG = 4  # words; shorter turns are alike by chance


def near_duplicates(turns: pl.DataFrame, overlap: float) -> set[str]:
    """Find conversations that repeat one that stays.

    Conversations are compared by the sets of their turns of at least four words. In the order of their ids, each
    is compared with those kept before it, and is a duplicate if it shares two such turns and at least `overlap` of
    the smaller set with one of them. So no two that are left repeat each other, and a hundred copies cost as much
    as a hundred conversations: copies are never compared with copies.

    Args:
        turns: conversation_id and key, the canonical form.
        overlap: share of the smaller set.

    Returns:
        Ids of the conversations to drop.
    """
    long = turns.select("conversation_id", words=words_of(pl.col("key"))).filter(
        pl.col("words").str.count_matches(" ", literal=True) >= _LONG - 1
    )
    sets = long.select("conversation_id", pl.col("words").hash(seed=0)).unique()
    holders: dict[int, list[int]] = {}
    sizes: list[int] = []
    duplicates = set()
    for conversation_id, said in sets.group_by("conversation_id").agg("words").sort("conversation_id").iter_rows():
        shared = Counter(kept for turn in said for kept in holders.get(turn, ()))
        # One long turn in common is chance, not a copy.
        if any(n >= max(2, overlap * min(len(said), sizes[kept])) for kept, n in shared.items()):
            duplicates.add(str(conversation_id))
            continue
        for turn in said:
            found = holders.setdefault(turn, [])
            if len(found) < _COMMON:
                found.append(len(sizes))
        sizes.append(len(said))
    return duplicates
