"""Windows: pairs -> dialogues as their speakers saw them, in pieces that a language model learns from.

A window holds consecutive turns, seen from one person: that one's turns are the bot's, all others' the user's.
Learnt are the texts, and what ends them, of that person's turns that answer something in the window.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.parts.prompt import cleaned

if TYPE_CHECKING:
    import polars as pl

    from rejoinder.parts.prompt import Prompt

#: What the anonymiser puts for a name, a number, an address: read, and never learnt.
SLOT = re.compile(r"(?i)<[a-z_]+_[0-9]+>")
COLUMNS = ["pair_id", "source", "split", "conversation_id", "sender", "context", "context_own", "reply"]
#: Turns of context in what training is judged by.
JUDGED_TURNS = 3


@dataclass(slots=True)
class Turn:
    """A turn of a dialogue.

    Attributes:
        text: what was said.
        sender: by whom; null where nobody answers who would tell.
        pair_id: of the pair whose reply it is; null for one that is context alone.
    """

    text: str
    sender: str | None
    pair_id: str | None = None

    @property
    def is_learnt(self) -> bool:
        """Whether a model may learn to say it."""
        return self.pair_id is not None and bool(cleaned(self.text)) and not SLOT.search(self.text)


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """Some turns as tokens.

    Attributes:
        ids: int32 [t], tokens.
        learnt: bool [t], which of them are learnt.
        pair_id: of the first reply that is.
    """

    ids: npt.NDArray[np.int32]
    learnt: npt.NDArray[np.bool_]
    pair_id: str


@dataclass(slots=True)
class _Piece:
    ids: list[int] = field(default_factory=list)
    learnt: list[bool] = field(default_factory=list)

    def add(self, ids: Sequence[int], learnt: int = 0, after: int = 0) -> None:
        """Add tokens of which some, after so many, are learnt."""
        self.ids += ids
        self.learnt += [after <= place < after + learnt for place in range(len(ids))]

    def window(self, pair_id: str) -> Window:
        """Close it after the last token that is learnt."""
        end = max(place for place, is_learnt in enumerate(self.learnt) if is_learnt) + 1
        return Window(np.array(self.ids[:end], np.int32), np.array(self.learnt[:end]), pair_id)


def chains(pairs: pl.DataFrame) -> Iterator[list[Turn]]:
    """Join pairs to dialogues again.

    Args:
        pairs: of one split, in the order in which they were said; columns as `COLUMNS`.

    Yields:
        Turns that follow each other: a pair goes on with those before it where its context ends them.
    """
    chain, of = list[Turn](), None
    rows = pairs.select("conversation_id", "sender", "context", "context_own", "reply", "pair_id")
    for conversation, sender, context, own, reply, pair_id in rows.iter_rows():
        if conversation != of or [turn.text for turn in chain[-len(context) :]] != context:
            if chain:
                yield chain
            chain, of = [Turn(text, None) for text in context], conversation
        for turn, is_own in zip(chain[-len(context) :], own, strict=True):
            if is_own:  # who answers tells whose turns of the context are his own
                turn.sender = sender
        chain.append(Turn(reply, sender, pair_id))
    if chain:
        yield chain


def cut(chain: Sequence[Turn], person: str, prompt: Prompt) -> Iterator[Window]:
    """Cut a dialogue into windows as one person saw it.

    Args:
        chain: its turns.
        person: whose turns are the bot's.
        prompt: makes tokens; its window is the most of a piece.

    Yields:
        Windows of whole turns, each of which begins with the last turn of the one before; only such as teach
        something. A turn that fits in none parts the dialogue.
    """
    own = [turn.sender == person for turn in chain]
    ids = [prompt.turn(turn.text, mine) for turn, mine in zip(chain, own, strict=True)]
    opening, start = prompt.context([], []), 0
    while start < len(chain) - 1:
        end, room = start, prompt.window - len(opening)
        while end < len(chain) and len(ids[end]) <= room:
            room -= len(ids[end])
            end += 1
        learnt = [n for n in range(start + 1, end) if own[n] and chain[n].is_learnt]
        if learnt:
            yield _window(chain, ids, range(start, learnt[-1] + 1), learnt, prompt)
        start = end - 1 if start + 1 < end < len(chain) else max(end, start + 1)


def _window(
    chain: Sequence[Turn], ids: Sequence[list[int]], places: range, learnt: Sequence[int], prompt: Prompt
) -> Window:
    piece, header = _Piece(), len(prompt.reply_header)
    piece.add(prompt.context([], []))
    for place in places:
        said = len(prompt.text(chain[place].text)) + 1 if place in learnt else 0
        piece.add(ids[place], said, header)
    return piece.window(str(chain[learnt[0]].pair_id))


def learning_windows(
    pairs: pl.DataFrame, prompt: Prompt, most: int, seed: int, learnt_share: float = 0.0
) -> list[Window]:
    """Draw windows to learn from.

    Args:
        pairs: of the training split and the sources that may be learnt from; columns as `COLUMNS`.
        prompt: makes tokens; its window is the most of a piece.
        most: windows that are drawn.
        seed: of the draws.
        learnt_share: least share of a window's tokens that are learnt.

    Returns:
        Windows of any conversations and, of each, of all its people; in the order of the draw. Where there are more
        conversations than windows, of as many conversations as windows.
    """
    import polars as pl

    draw = np.random.default_rng(seed)
    names = pairs["conversation_id"].unique().sort()
    chosen = names.gather(draw.permutation(len(names))[:most])
    found = list(_all_windows(chains(pairs.filter(pl.col("conversation_id").is_in(chosen.implode()))), prompt))
    kept = [window for window in found if window.learnt.mean() >= learnt_share]
    return [kept[n] for n in draw.permutation(len(kept))[:most]]


def _all_windows(dialogues: Iterable[list[Turn]], prompt: Prompt) -> Iterator[Window]:
    for chain in dialogues:
        for person in sorted({turn.sender for turn in chain if turn.sender and turn.is_learnt}):
            yield from cut(chain, person, prompt)


def judged_windows(pairs: pl.DataFrame, prompt: Prompt, most: int, seed: int) -> list[Window]:
    """Draw what training is judged by: replies after a context of three turns, one of a conversation.

    Args:
        pairs: of the validation split and the sources that may be learnt from; columns as `COLUMNS`.
        prompt: makes tokens as for an answer.
        most: windows that are drawn.
        seed: of the draw.

    Returns:
        One reply a window, learnt from its first token to the one that ends it.
    """
    import polars as pl

    whole = pairs.filter(pl.col("context").list.len() >= JUDGED_TURNS).sort("pair_id")
    drawn = whole[np.random.default_rng(seed).permutation(len(whole))]
    said = drawn.filter(~pl.col("reply").str.contains(SLOT.pattern), pl.col("reply").str.strip_chars() != "")
    rows = said.unique("conversation_id", keep="first", maintain_order=True).head(most)
    return [_judged(row, prompt) for row in rows.iter_rows(named=True)]


def _judged(row: dict[str, Any], prompt: Prompt) -> Window:
    piece = _Piece()
    turns, own = (row[name][-JUDGED_TURNS:] for name in ("context", "context_own"))
    piece.add([*prompt.context(turns, own), *prompt.reply_header])
    said = [*prompt.text(row["reply"]), prompt.end]
    piece.add(said, len(said))
    return piece.window(row["pair_id"])
