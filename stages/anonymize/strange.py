"""Words that neither chats nor a dictionary know, and that are no slips of known ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_lowercase

from stages.anonymize.lexicon import packaged

#: Letters: shorter words are abbreviations more often than names, and no name is longer.
_SHORTEST, _LONGEST = 4, 20
#: Laughter, sounds and abbreviations: without a vowel, or with three letters alike.
_NO_NAME = re.compile(r".*(.)\1\1.*|[^aeiouyà-ɏ]+")
_SUFFIXES = ("s", "es", "ed", "er", "ing", "in", "ish", "y", "ly", "ness", "able", "less", "ies", "ier", "iest")


@lru_cache(maxsize=100_000)
def is_strange(word: str) -> bool:
    """Tell whether a word, as the lexicon has it, is likelier a name than anything else.

    Args:
        word: small letters without accents.

    Returns:
        Whether neither it nor what it may be a form or a slip of is known.
    """
    if not _SHORTEST <= len(word) <= _LONGEST or _NO_NAME.fullmatch(word) or _is_known(word):
        return False
    stems = (word.removesuffix(suffix) for suffix in _SUFFIXES if word.endswith(suffix))
    return not any(_is_known(stem) for stem in stems if len(stem) > 2) and not any(map(_is_known, _slips(word)))


def _is_known(word: str) -> bool:
    lexicon = packaged()
    return lexicon.is_word(word) or word in lexicon.places


def _slips(word: str) -> Iterator[str]:
    """What a word may be with one letter too many, too few, wrong, or in the wrong place (Damerau 1964)."""
    for place in range(len(word) + 1):
        before, behind = word[:place], word[place:]
        yield before + behind[1:]
        if len(behind) > 1:
            yield before + behind[1] + behind[0] + behind[2:]
        for letter in ascii_lowercase:
            yield before + letter + behind
            yield before + letter + behind[1:]
