"""Reading: the tokens that a ranker reads of a context and of a reply; the one way of training and serving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rejoinder.parts.tokens import open_tokenizer, token_ids

Ids = npt.NDArray[np.int64]


class Reading:
    """Texts as the ranker reads them. Safe to share between threads."""

    def __init__(self, tokenizer: Path, context_tokens: int, reply_tokens: int) -> None:
        """Open the vectorizer's tokenizer.

        Args:
            tokenizer: tokenizer.json.
            context_tokens: most that are read of a context.
            reply_tokens: most that are read of a reply.
        """
        self.context_tokens = context_tokens
        self._of_turns = open_tokenizer(tokenizer, context_tokens)
        self._of_replies = open_tokenizer(tokenizer, reply_tokens)
        self.vocabulary = self._of_turns.get_vocab_size()

    def turns(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokenise turns of contexts, each with its first and last control token."""
        return token_ids(self._of_turns, texts)

    def replies(self, texts: Sequence[str]) -> Ids:
        """Tokenise replies, int64 [n, longest]; 0 where there is no token."""
        return padded(token_ids(self._of_replies, texts))

    def context(self, turns: Sequence[Sequence[int]], own: Sequence[bool]) -> tuple[list[int], list[int]]:
        """Join a context; what does not fit is cut in whole turns, the oldest first.

        Args:
            turns: tokens of each turn, oldest first, by `turns`.
            own: of each turn, whether it is by the one who replies.

        Returns:
            Tokens, and of each 1 where it is of the one who replies, else 0.
        """
        room, first = self.context_tokens - 1, len(turns)
        while first and room >= len(turns[first - 1]) - 1:
            first -= 1
            room -= len(turns[first]) - 1
        kept, said = turns[first:], own[first:]
        ids = [*kept[0][:1], *(token for turn in kept for token in turn[1:])]
        kinds = [int(said[0]), *(int(mine) for turn, mine in zip(kept, said, strict=True) for _ in turn[1:])]
        return ids, kinds


def padded(rows: Sequence[Sequence[int]]) -> Ids:
    """Put rows side by side, int64 [n, longest]; 0 where there is no token."""
    made = np.zeros((len(rows), max(map(len, rows), default=0)), np.int64)
    for number, row in enumerate(rows):
        made[number, : len(row)] = row
    return made
