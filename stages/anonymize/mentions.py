"""Where the names of one conversation are said again, in any case, and which of them are the same person's."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stages.anonymize.lexicon import AFTER, WORD, Lexicon, is_capitalised, key, opens_sentence
from stages.anonymize.spans import Span


@dataclass(frozen=True, slots=True)
class Mentions:
    """Finds the names of one conversation wherever they are said."""

    pattern: re.Pattern[str]
    #: Parts of names that are common words ("Will" of "Will Smith"), in lower case.
    ambiguous: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str], lexicon: Lexicon) -> Mentions | None:
        """Prepare the search.

        Args:
            names: what was found anywhere in the conversation.
            lexicon: which words are names.

        Returns:
            The search, or None without names.
        """
        whole = set(names)
        parts = {match[0] for name in whole for match in WORD.finditer(name)}
        if not whole:
            return None
        ambiguous = lexicon.common | (lexicon.often_names - {key(name) for name in whole})
        by_length = sorted(whole | parts, key=lambda name: (-len(name), name))
        alternatives = "|".join(r"\s+".join(map(re.escape, name.split())) for name in by_length)
        pattern = re.compile(rf"(?<!\w)(?:{alternatives}){AFTER}", re.IGNORECASE)
        return cls(pattern, frozenset(part.lower() for part in parts | whole if key(part) in ambiguous))

    def find(self, text: str) -> list[Span]:
        """Find every mention; a part that is a common word counts only if capitalised inside a sentence."""
        return [
            Span(match.start(), match.end(), "PERSON", "name.mentioned")
            for match in self.pattern.finditer(text)
            if match[0].lower() not in self.ambiguous or _is_capitalised_inside(text, match)
        ]


def same_person(names: Iterable[str]) -> Mapping[str, str]:
    """Join short names to the longer ones that hold them.

    Args:
        names: of one conversation, folded as `slots.fold` does.

    Returns:
        Short name -> longer name, where exactly one longer name of the conversation holds all its words: "ann" is
        "ann lee", unless there is an "ann smith" too.
    """
    words = {name: frozenset(name.split()) for name in names}
    having: dict[str, set[str]] = defaultdict(set)
    for name, parts in words.items():
        for part in parts:
            having[part].add(name)
    # A longer name holds every word of a shorter one, so it is enough to look among those that hold its rarest.
    longer = {
        name: {other for other in min((having[part] for part in parts), key=len) if parts < words[other]}
        for name, parts in words.items()
        if parts
    }
    holders = {name: [other for other in others if not longer[other]] for name, others in longer.items()}
    return {name: found[0] for name, found in holders.items() if len(found) == 1}


def _is_capitalised_inside(text: str, match: re.Match[str]) -> bool:
    return is_capitalised(match[0]) and not opens_sentence(text, match)
