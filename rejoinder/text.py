"""The one normalisation used in training and in serving.

Everything that is encoded, counted, deduplicated or looked up goes through `normalize`, so a phrase that is in
the cache has by construction the vector that the model would compute for it. Changing anything here changes
`NORMALIZATION_VERSION`, which is part of every VectorizerId.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

NORMALIZATION_VERSION = "nfkc-casefold-1"

# Halves of surrogate pairs come with messages that were cut inside an emoji; no encoding can hold them.
_CONTROL = re.compile(r"[\ud800-\udfff\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060\ufeff\s]+")
_WORD = re.compile(r"\w+")


def normalize(text: str) -> str:
    """Fold a text to its canonical form: NFKC, case-folded, control and invisible characters to one space.

    Args:
        text: any text.

    Returns:
        The canonical form; idempotent, may be empty.
    """
    # Case folding can leave decomposed or compatibility characters behind, hence the second pass
    # (Unicode Standard, section 3.13, toNFKC_Casefold).
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _CONTROL.sub(" ", folded).strip()


def words(text: str) -> tuple[str, ...]:
    """The word characters of a text's canonical form, in order."""
    return words_of(normalize(text))


def words_of(canonical: str) -> tuple[str, ...]:
    """The words of a text that is in canonical form already."""
    return tuple(_WORD.findall(canonical))


def context_text(turns: Sequence[str], n_turns: int) -> str:
    """Join the last turns of a dialogue into the one text that is encoded as its context.

    Args:
        turns: texts, oldest first.
        n_turns: how many turns from the end to use, at least 1.

    Returns:
        The turns on one line, oldest first. A single turn is returned as it is, so that it can hit the cache.
    """
    return "\n".join(turns[-n_turns:])
