"""Asked: what a caller wants of one answer, besides an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def always() -> bool:
    """Whether somebody still waits who never leaves, and nobody else does."""
    return True


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants of one answer.

    Attributes:
        max_tokens: most tokens of the reply, by the vectorizer's tokenizer; a longer one is not said, none is cut.
        stop: what the reply may not hold; a reply that does is not said, none is cut.
        seed: of this answer's draws, and of what is generated; None for the responder's own.
        is_wanted: whether anybody still waits; asked between steps, by the thread that answers.
        until: moment of `time.monotonic` when the answer should be there: what takes long ends before.
        may_linger: whether what takes long and can be left out may go on; not where others wait for the thread.
    """

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    is_wanted: Callable[[], bool] = always
    until: float = float("inf")
    may_linger: Callable[[], bool] = always
