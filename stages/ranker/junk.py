"""Junk to learn from: what a ranker must not love, drawn anew for every slate (DialoGPT's issue 43 shows why)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rejoinder.text import words

_SIGNS = ("?", "!", ".", "?!", "...", "!!", ":)", "lol", "haha", "hm")
_PRAISE = ("wow", "amazing", "great", "awesome", "cool", "nice", "perfect", "super", "lovely", "so", "very")
_PICTURES = ("😀", "😂", "🎉", "🔥", "❤️", "👍", "🤔", "😭", "🙏", "✨")


def draw_junk(context: Sequence[str], reply: str, random: np.random.Generator) -> list[str]:
    """Draw one of each kind.

    Args:
        context: turns, oldest first.
        reply: a real one.
        random: draws.

    Returns:
        Signs, a word of the reply over and over, a copied turn or two, empty praise, pictures.
    """
    said = words(reply) or ["well"]
    return [
        "".join(random.choice(_SIGNS, random.integers(2, 8))),
        " ".join([str(random.choice(said))] * int(random.integers(3, 8))),
        context[-1] if random.random() < 0.5 else " ".join(context[-2:]),
        " ".join(random.choice(_PRAISE, random.integers(3, 7))),
        "".join([str(random.choice(_PICTURES))] * int(random.integers(2, 7))),
    ]


#: How many `draw_junk` gives.
KINDS = 5
