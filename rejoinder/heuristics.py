"""Simple rules that drop an unfit candidate before it can be said."""

from __future__ import annotations

from collections.abc import Iterable

from rejoinder.dialogue import Dialogue
from rejoinder.text import normalize, words

#: A candidate is a turn again if they share this part of the shorter one's words (overlap coefficient) ...
ECHO_OVERLAP = 0.75
#: ... and at least so many: "yes, pizza!" is no echo of "do you like pizza?".
ECHO_WORDS = 3


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
        shared = len(said & others)
        if normalize(reply) == normalize(turn) or (said and said == others):
            return True
        if shared >= ECHO_WORDS and shared >= ECHO_OVERLAP * min(len(said), len(others)):
            return True
    return False
