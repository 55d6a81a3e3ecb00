"""Simple rules that drop an unfit candidate before it can be said."""

from __future__ import annotations

from collections.abc import Iterable

from rejoinder.dialogue import Dialogue
from rejoinder.text import normalize, words

#: Candidates sharing this part of their words with a turn are that turn again (Jaccard index).
ECHO_OVERLAP = 0.8


def reject_reason(reply: str, dialogue: Dialogue) -> str | None:
    """Why a candidate must not be said here.

    Args:
        reply: the candidate.
        dialogue: what has been said.

    Returns:
        "empty", "repeat" (of the bot's own turn), "echo" (of any turn), or None if it may be said.
    """
    if not normalize(reply):
        return "empty"
    if _is_like_any(reply, dialogue.bot_texts()):
        return "repeat"
    if _is_like_any(reply, dialogue.texts):
        return "echo"
    return None


def _is_like_any(reply: str, turns: Iterable[str]) -> bool:
    said = set(words(reply))
    for turn in turns:
        others = set(words(turn))
        if normalize(reply) == normalize(turn):
            return True
        if said and len(said & others) / len(said | others) >= ECHO_OVERLAP:
            return True
    return False
