"""Typos: the test lists as they would have been typed in haste.

Slips by the package typo (neighbours on the keyboard, swapped, lost, added and doubled letters, lost spaces); no
training of ours uses it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import polars as pl

from stages.evaluation.candidates import Candidates

_SLIPS = ("char_swap", "missing_char", "extra_char", "nearby_char", "repeated_char", "skipped_space")
_EVERY, _MOST = 12, 4  # letters to a slip, and slips of a text
_SHORTEST = 3  # letters; shorter texts leave some kinds of slip no place


def mistyped(texts: Sequence[str], seed: int) -> list[str]:
    """Type texts again, in haste.

    Args:
        texts: n texts.
        seed: of the kinds and places of the slips.

    Returns:
        n texts with a slip for every dozen letters begun, `_MOST` at most.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret
    return [_mistype(text, draw) for text in texts]


def _mistype(text: str, draw: random.Random) -> str:
    from typo import StrErrer

    for _ in range(min(_MOST, 1 + len(text) // _EVERY)):
        if len(text) < _SHORTEST:
            break
        text = getattr(StrErrer(text, seed=draw.getrandbits(32)), draw.choice(_SLIPS))().result
    return text


def mistyped_contexts(candidates: Candidates, seed: int) -> Candidates:
    """The same lists, every turn of the contexts mistyped; replies are the base's and have no typos.

    Args:
        candidates: the lists.
        seed: of the slips.

    Returns:
        The lists.
    """
    contexts = candidates.items["context"].to_list()
    typed = iter(mistyped([turn for turns in contexts for turn in turns], seed))
    noisy = [[next(typed) for _ in turns] for turns in contexts]
    return Candidates(candidates.items.with_columns(context=pl.Series(noisy)), candidates.pool)
