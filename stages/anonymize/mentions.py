"""Where the known names of one conversation are said, in any case, whole and by part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from stages.anonymize.cues import is_cued, is_determined
from stages.anonymize.lexicon import WORD, Lexicon, is_capitalised, key, opens_sentence
from stages.anonymize.spans import Span

#: What may stand between two words of a name.
_BETWEEN = re.compile(r"[\s_]+|[^\w\n]{1,3}(?:\w[^\w\n]{1,3})?")

#: Words of a text, as `WORD` finds them.
Words = Sequence[re.Match[str]]


class Where(IntEnum):
    """Where words are taken for a name; of two answers the larger holds."""

    #: With a capital inside a sentence, and behind an @.
    CAPITAL = 1
    #: There, and where something beside them speaks of a person.
    CUED = 2
    #: There, and bare, unless something beside them says that they are words.
    LIKELY = 3
    #: Wherever they stand.
    ANYWHERE = 4


@dataclass(slots=True)
class _Node:
    """What may follow some words of a name, and where they are one by themselves."""

    next: dict[str, _Node] = field(default_factory=dict)
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class Mentions:
    """Finds names by their words, in time that does not grow with the number of names."""

    root: _Node = field(default_factory=_Node)
    #: Names of accounts, which are no words ("jo_90"), in lower case.
    accounts: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.root.next or self.accounts)

    def add(self, words: Sequence[str], where: Where) -> None:
        """Add a name, given as the keys of its words; none of them adds nothing."""
        node = self.root
        for word in words:
            node = node.next.setdefault(word, _Node())
        if node is not self.root:
            node.where = max(where, node.where or where)

    def add_found(self, names: Iterable[str], lexicon: Lexicon) -> None:
        """Add what was found in the conversation, whole and by part."""
        spelled = {tuple(keys(name)) for name in names} - {()}
        for name in spelled:
            for one in {name, *((part,) for part in name)}:
                often = one not in spelled and one[0] in lexicon.often_names
                ambiguous = len(one) == 1 and (often or one[0] in lexicon.common)
                self.add(one, Where.CAPITAL if ambiguous else Where.ANYWHERE)

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        """Find every mention in one text; of names that begin alike, the longest."""
        words = list(WORD.finditer(text))
        read = [lexicon.read(word[0]) for word in words]
        place = 0
        while place < len(words):
            behind, end = self._longest(text, words, read, place, lexicon)
            if end:
                yield Span(words[place].start(), end, "PERSON", "name.mentioned")
            place = behind
        if self.accounts:
            yield from self._find_accounts(text)

    def _longest(
        self, text: str, words: Words, read: Sequence[str], place: int, lexicon: Lexicon
    ) -> tuple[int, int]:
        """Find the longest name that begins at a word: the place behind it, and where it ends, 0 for none."""
        node, found = self.root, (place + 1, 0)
        for at in range(place, len(words)):
            if at > place and not _BETWEEN.fullmatch(text, words[at - 1].end(), words[at].start()):
                break
            following = node.next.get(read[at])
            if following is None:
                owner = node.next.get(read[at][:-1]) if len(read[at]) > 3 and read[at].endswith("s") else None
                # "wuyas": an "s" that lost its apostrophe.
                return (at + 1, words[at].end() - 1) if owner and owner.where is Where.ANYWHERE else found
            node = following
            if node.where is not None and _is_name(text, words[place : at + 1], read[place], node.where, lexicon):
                found = (at + 1, words[at].end())
        return found

    def _find_accounts(self, text: str) -> Iterator[Span]:
        for match in _ACCOUNT.finditer(text):
            if match[0].lower() in self.accounts:
                yield Span(match.start(), match.end(), "HANDLE", "handle.participant")


#: Letters, digits, and marks between them.
_ACCOUNT = re.compile(r"[^\W_](?:[\w.-]*[^\W_])?|\w+")


def keys(name: str) -> list[str]:
    """Words of a name, as the lexicon has them."""
    return [key(match[0]) for match in WORD.finditer(name)]


def _is_name(text: str, words: Words, first: str, where: Where, lexicon: Lexicon) -> bool:
    if where is Where.ANYWHERE:
        return True
    start, end = words[0].start(), words[-1].end()
    if text[start - 1 : start] == "@" or (_is_marked(words) and not opens_sentence(text, words[0])):
        return True
    if where is Where.CAPITAL:
        return False
    if is_cued(text, start, end):
        return True
    return where is Where.LIKELY and not is_determined(text, start, end, is_verb=first in lexicon.seldom_names)


def _is_marked(words: Words) -> bool:
    return all(is_capitalised(word[0]) for word in words)
