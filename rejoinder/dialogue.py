"""Turns and dialogues: what is answered, as plain frozen data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rejoinder.errors import InputError

Speaker = Literal["user", "bot"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One uninterrupted stretch of talk by one speaker."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Turns, oldest first; the last one is the user's."""

    turns: tuple[Turn, ...]

    @classmethod
    def from_lines(cls, lines: Iterable[str]) -> Dialogue:
        """Read a dialogue of alternating speakers, one turn a line, the user's turn last.

        Args:
            lines: turns, oldest first; blank lines are skipped.

        Returns:
            The dialogue.

        Raises:
            InputError: if no line holds any text.
        """
        texts = [line.strip() for line in lines if line.strip()]
        if not texts:
            raise InputError("nothing to answer: expected at least one line of text, got none")
        last = len(texts) - 1
        return cls(tuple(Turn("user" if (last - i) % 2 == 0 else "bot", t) for i, t in enumerate(texts)))

    @property
    def texts(self) -> tuple[str, ...]:
        """The turns' texts, oldest first."""
        return tuple(turn.text for turn in self.turns)

    def bot_texts(self) -> tuple[str, ...]:
        """What the bot has said so far, oldest first."""
        return tuple(turn.text for turn in self.turns if turn.speaker == "bot")
