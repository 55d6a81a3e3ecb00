"""Statements about one person: names, and the first person on kin, work, place, number, health or faith.

"My mom is a nurse" is made of common words, and means what many have said of somebody; it is still the fact of one
person. Such a sentence must have been said word for word by as many people as a meaning must. So must one that
names something, whoever it is about: names of schools and towns say where those who talked live.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from rejoinder.text import words
from stages import common

_FIRST_PERSON = frozenset(("i", "im", "ive", "id", "me", "my", "mine", "myself", "we", "us", "our", "ours"))
_WORDS = Path(common.__file__).with_name("data") / "personal_words.txt"
#: A capital within a sentence: a name of something.
_NAMED = re.compile(r"(?<=[\w,;:'’] )(?!I\b)[A-Z]\w+")


@cache
def personal_words() -> frozenset[str]:
    """The words of the list."""
    lines = _WORDS.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def is_personal(text: str) -> bool:
    """Whether a text states something about one person.

    Args:
        text: as it was written.

    Returns:
        True if it holds a name; if it speaks in the first person, a digit or a word of the list as well.
    """
    said = set(words(text))
    if _NAMED.search(text):
        return True
    told = said & personal_words() or any(character.isdigit() for character in text)
    return bool(said & _FIRST_PERSON and told)
