"""Emoji people react with, as the reactions of our tables. One that is not listed counts as none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from stages.common.messages import Reaction

#: From most to least favourable.
FAVOUR: tuple[Reaction, ...] = ("love", "funny", "upvote", "meaningless", "downvote", "offensive")

_EMOJI: dict[Reaction, str] = {
    "love": "❤ ♥ 💕 💖 💗 💓 💘 💙 💚 💛 💜 🧡 🤍 🖤 😍 🥰 😘 💋",
    "funny": "😂 🤣 😆 😄 😁 😅 😹 🤪",
    "upvote": "👍 👏 💯 🔥 🎉 👌 🙌 🙏 🏆 🤝 ⬆ 🔼",
    "meaningless": "❓ 🤷 🥱 😴 😐",
    "downvote": "👎 💩 🤮 ⬇ 🔽",
    "offensive": "😠 😡 🤬 🖕",
}
_MEANING = {emoji: reaction for reaction, listed in _EMOJI.items() for emoji in listed.split()}

# Presentation selector, skin tones, and whatever is joined on: a shrugging man shrugs, a burning heart is a heart.
_VARIANT = re.compile("[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d.*", re.DOTALL)


def reaction_of(votes: Iterable[tuple[object, int]]) -> Reaction | None:
    """Make one reaction of all that a message got.

    Args:
        votes: emoji and how many people chose it.

    Returns:
        The commonest, of equally common ones the less favourable; None without a listed emoji.
    """
    counts: Counter[Reaction] = Counter()
    for emoji, count in votes:
        if isinstance(emoji, str) and (reaction := _MEANING.get(_VARIANT.sub("", emoji))):
            counts[reaction] += count
    return max((r for r in FAVOUR if counts[r] > 0), key=lambda r: (counts[r], FAVOUR.index(r)), default=None)
