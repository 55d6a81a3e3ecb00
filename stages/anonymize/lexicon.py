"""Which words are names: packaged lists, and what the corpus itself writes small.

The lists are in `data/`, with their sources; `benchmarks/anonymization/make_lists.py` makes them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from stages.common.words import dictionary, function_words, kin_words, read_list

FOLDER = Path(__file__).parent / "data"

#: Words of at least two letters, without contractions: "Jerry's" holds "Jerry", "don't" holds nothing. None
#: holds an underscore: three apps write italics with it.
AFTER = r"(?!['’][^\W\d_s])(?![^\W_])"
WORD = re.compile(rf"(?<![^\W_])[^\W\d_]{{2,}}+{AFTER}")

#: A word that fewer conversations write small may still be a name that is rare in the corpus.
MIN_CONVERSATIONS = 20

#: What a sentence, or a line of a play or a list, may begin behind.
_SENTENCE_END = (".", "!", "?", "\n", ":", '"', "(", "-", "*")

#: Spaces in front of a word that may hide the end of a sentence.
_REACH = 40

#: One letter three times or more, as people stretch a word.
_STRETCHED = re.compile(r"(.)\1{2,}")

#: Laughter, stretched and vowelless words, of which a corpus always holds spellings that it has not seen before.
_INTERJECTION = re.compile(r"\w?(?:h+[aeiou]+){2,}h*|\w*(\w)\1\1\w*|[b-df-hj-np-tv-xz]{3,}")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words, as `key` makes them, by what they may be."""

    #: Usually written small: not names.
    common: frozenset[str]
    #: Well-known first names that are nothing else.
    first_names: frozenset[str]
    #: First names of some register, most of them rare.
    rare_first_names: frozenset[str]
    #: Well-known surnames that are nothing else.
    common_surnames: frozenset[str]
    #: What may be a surname behind a first name.
    surnames: frozenset[str]
    #: First names that are words or places too ("mark", "paris").
    often_names: frozenset[str]
    #: Common words that are first names too ("will").
    seldom_names: frozenset[str]
    #: What has a capital and is nobody; part of `common`.
    never_names: frozenset[str]
    #: Those of `often_names` that are places.
    places: frozenset[str]
    #: English words of a dictionary, without well-known first names.
    dictionary: frozenset[str]
    #: Words that say nothing by themselves ("the"), whoever is called so.
    function_words: frozenset[str]
    #: What people call each other that names nobody ("mum").
    kin_words: frozenset[str]

    def is_name_like(self, word: str) -> bool:
        """Whether a word is capitalised, and no common word, other thing with a name, or interjection."""
        if not is_capitalised(word):
            return False
        folded = key(word)
        return not (folded in self.common or folded in self.often_names or _INTERJECTION.fullmatch(folded))

    def is_word(self, word: str) -> bool:
        """Whether a key is an English word, whatever else it is."""
        return word in self.common or word in self.dictionary or word in self.often_names

    def with_common(self, words: frozenset[str]) -> Lexicon:
        """Add what a corpus usually writes small, if a dictionary knows it.

        Frequency alone tells nothing: the more people talk of somebody, the better a name must be hidden. A first
        name stays one, however people type it.
        """
        return replace(self, common=self.common | (words & self.dictionary - self.often_names))

    def read(self, word: str) -> str:
        """Give the key of a word; of a stretched one ("jessicaaaa") that of the known word that it is."""
        folded = key(word)
        if not _STRETCHED.search(folded):
            return folded
        shorter = (_STRETCHED.sub(by, folded) for by in (r"\1", r"\1\1"))
        return next((k for k in shorter if k in self.first_names or k in self.common), folded)


@dataclass(slots=True)
class WordUsage:
    """How a corpus writes its words. Adds up over parts of the corpus."""

    #: Conversations that write the word small.
    small: Counter[str]
    #: Conversations that capitalise it, not counting the first word of a text: there everything may be.
    capitalised: Counter[str]

    @classmethod
    def of(cls, conversations: Iterable[Iterable[str]]) -> WordUsage:
        """Count the words of some conversations, each word once a conversation."""
        usage = cls(Counter(), Counter())
        for texts in conversations:
            found = [match for text in texts for match in WORD.finditer(text)]
            usage.small.update({key(match[0]) for match in found if match[0].islower()})
            usage.capitalised.update({key(match[0]) for match in found if match.start() and match[0].istitle()})
        return usage

    def __iadd__(self, other: WordUsage) -> WordUsage:
        self.small.update(other.small)
        self.capitalised.update(other.capitalised)
        return self

    def common(self) -> frozenset[str]:
        """Words that at least `MIN_CONVERSATIONS` write small, and as many as capitalise them."""
        return frozenset(w for w, n in self.small.items() if n >= max(MIN_CONVERSATIONS, self.capitalised[w]))


def is_capitalised(word: str) -> bool:
    """Whether a word begins with a capital and goes on small: neither "TV" nor "TVs" nor "PhD" does."""
    return word[0].isupper() and word[1].islower() and word[-1].islower()


def opens_sentence(text: str, word: re.Match[str]) -> bool:
    """Whether a word of a text stands where any word is capitalised."""
    # Not all of the text before it: a long one has many words.
    before = text[max(0, word.start() - _REACH) : word.start()].rstrip(" _")
    return not before or before.endswith(_SENTENCE_END)


#: Letters that Unicode does not decompose into another and a mark.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "ı": "i", "đ": "d", "ð": "d", "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
)


def key(word: str) -> str:
    """Make a word's spellings equal: small letters without accents."""
    lower = word.lower()
    if lower.isascii():
        return lower
    letters = unicodedata.normalize("NFKD", lower.translate(_LETTERS))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


@cache
def packaged() -> Lexicon:
    """Load the packaged lists."""
    words = {path.stem: read_list(path) for path in FOLDER.glob("*.txt")}
    places, never = words["names_that_are_places"], words["never_names"]
    both = words["names_that_are_words"]
    often = (words["names_often"] | (both - words["common_words"]) | places) - never
    seldom = (words["names_seldom"] | both) - often - never
    ambiguous = often | seldom | never
    return Lexicon(
        common=(words["common_words"] | never | seldom) - often,
        first_names=words["first_names"] - ambiguous,
        rare_first_names=words["rare_first_names"] - ambiguous,
        common_surnames=words["common_surnames"] - ambiguous,
        surnames=(words["surnames"] | words["surnames_that_are_words"]) - never,
        often_names=often,
        seldom_names=seldom,
        never_names=never,
        places=places,
        dictionary=dictionary(),
        function_words=function_words(),
        kin_words=kin_words(),
    )


def write_list(path: Path, words: Iterable[str]) -> None:
    """Write words, sorted, one a line."""
    path.write_text("".join(f"{word}\n" for word in sorted(set(words))), encoding="utf-8")
