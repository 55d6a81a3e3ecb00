"""Prompt: turns with their speakers as a language model reads them; the one way of training and serving."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from rejoinder.errors import FormatError, Problem, first_line

#: Halves of surrogate pairs and control characters, but for the line feed between two messages of one turn.
_CONTROL = re.compile(r"[\ud800-\udfff\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060\ufeff]+")
_AROUND = re.compile(r"[^\S\n]*\n\s*")


@dataclass(frozen=True, slots=True)
class Template:
    """Texts around a turn, with the control tokens written out.

    Attributes:
        opening: before everything; empty for nothing.
        user: before and after a turn of the other side.
        bot: before and after a turn of our own; what is before opens a reply, the first token of what is after
            ends it.
    """

    opening: str
    user: tuple[str, str]
    bot: tuple[str, str]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Template:
        """Read it from the facts of a manifest.

        Args:
            facts: `opening`, `user` and `bot`.

        Returns:
            The template.

        Raises:
            ValueError: if it is anything else.
        """
        opening, pairs = facts.get("opening"), [facts.get("user"), facts.get("bot")]
        if not isinstance(opening, str) or not all(map(_is_pair, pairs)):
            raise ValueError("expected an opening, and two texts each for user and bot")
        return cls(opening, *((pair[0], pair[1]) for pair in pairs if pair))


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list | tuple) and [type(text) for text in pair] == [str, str]


class Prompt:
    """Makes tokens of dialogues. Safe to share between threads."""

    def __init__(self, tokenizer: Path, template: Template, window: int) -> None:
        """Open a tokenizer.

        Args:
            tokenizer: tokenizer.json.
            template: what stands around turns.
            window: most tokens of a context; older turns are left out whole.

        Raises:
            FormatError: if the tokenizer cannot be read, or nothing ends a turn.
        """
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # the library raises nothing more precise
            problem = Problem("tokenizer", "a readable tokenizer", first_line(error))
            raise FormatError(str(tokenizer), [problem]) from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.template, self.window = template, window
        self.vocabulary = self._tokenizer.get_vocab_size()
        self._opening = self._ids(template.opening)
        self._around = {
            own: tuple(map(self._ids, pair)) for own, pair in ((False, template.user), (True, template.bot))
        }
        self.reply_header, after = self._around[True]
        if not after or not self.reply_header:
            problem = Problem("template", "tokens before and after a turn of the bot's", "none")
            raise FormatError(str(tokenizer), [problem])
        self.end = after[0]
        # From here on: a user who types "<|im_start|>" means twelve characters, not the control token.
        self._tokenizer.encode_special_tokens = True

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def text(self, text: str) -> list[int]:
        """Tokenise what somebody said; control tokens in it are plain characters."""
        return self._ids(cleaned(text))

    def turn(self, text: str, own: bool) -> list[int]:
        """Tokenise a turn with what stands around it.

        Args:
            text: what was said.
            own: whether by the one who replies.

        Returns:
            Token ids.
        """
        before, after = self._around[own]
        return [*before, *self.text(text), *after]

    def context(self, turns: Sequence[str], own: Sequence[bool]) -> list[int]:
        """Tokenise a context; what does not fit is left out in whole turns, the oldest first.

        Args:
            turns: oldest first.
            own: of each turn, whether it is by the one who replies.

        Returns:
            Token ids, without what opens the reply. Of a last turn that is longer than the window, its end.
        """
        room, kept = self.window - len(self._opening), list[list[int]]()
        for text, mine in zip(reversed(turns), reversed(own), strict=True):
            ids = self.turn(text, mine)
            if len(ids) > room:
                if not kept:
                    before, after = self._around[mine]
                    most = max(1, room - len(before) - len(after))
                    kept.append([*before, *self.text(text)[-most:], *after])
                break
            kept.append(ids)
            room -= len(ids)
        return [*self._opening, *(token for ids in reversed(kept) for token in ids)]

    def decode(self, ids: Sequence[int]) -> str:
        """Read tokens back, without control tokens."""
        text: str = self._tokenizer.decode([int(token) for token in ids], skip_special_tokens=True)
        return text


def cleaned(text: str) -> str:
    """A text without control characters, its lines without space around them."""
    return _AROUND.sub("\n", _CONTROL.sub(" ", text)).strip()
