"""Asked: what a caller wants of one answer, besides an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def always() -> bool:
    """Whether somebody still waits who never leaves."""
    return True


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants of one answer.

    Attributes:
        max_tokens: most tokens of the reply, by the vectorizer's tokenizer; a longer one is not said, none is cut.
        stop: what the reply may not hold; a reply that does is not said, none is cut.
        seed: of this answer's draws; None for the responder's own.
        is_wanted: whether anybody still waits; asked between steps, by the thread that answers.
    """

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    is_wanted: Callable[[], bool] = always
