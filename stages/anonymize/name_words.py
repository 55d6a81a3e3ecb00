"""One text, word by word: which rule makes a word a name, and how far the name goes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.anonymize.cues import (
    ADDRESSED,
    AND,
    I_AM,
    INTRODUCED,
    KIN,
    MY_NAME,
    NAME_ENDS,
    OWNED,
    OWNS,
    PERHAPS,
    PLACE_BEFORE,
    PLACE_BEHIND,
    REACH,
    SAYS_WHO,
    SPEAKS,
    SPOKEN_OF,
    STRANGE,
    STRANGE_DOES,
    TELLS,
)
from stages.anonymize.lexicon import WORD, Lexicon, is_capitalised, opens_sentence
from stages.anonymize.recognizer import Entity
from stages.anonymize.spans import Span
from stages.anonymize.strange import is_strange

#: What may stand between two words of one name: "Anne-Marie", "O'Brien", "John F. Kennedy", "Vincent van Gogh".
_PARTICLE = (
    r"(?:van|von|vom|zu|zum|der|den|de|del|della|di|da|do|dos|das|du|la|le|los|ten|ter|el|al|bin|ibn|af|[a-z]\.?)"
)
JOINT = re.compile(rf"[ \t]{{1,2}}(?:{_PARTICLE}[ \t])*(?:[od]['’])?|_+|['’-](?:{_PARTICLE}-)?", re.IGNORECASE)
_PARTICLES = frozenset(_PARTICLE[3:-1].split("|"))

_CONJUNCTIONS = frozenset({"and", "or", "und", "et"})
_ARTICLES = frozenset({"the", "an"})

#: Characters that may end a cue.
_CUE_ENDS = frozenset(' \t\n"“(.,:=-')

#: Words that a name may run on.
_LONGEST = 6

_NOT_PEOPLE = ("GPE", "LOC", "NORP", "LANGUAGE", "ORG", "PRODUCT", "WORK_OF_ART", "EVENT", "FAC", "LAW", "DATE")


@dataclass(frozen=True, slots=True)
class Reading:
    """One text with its words, read once."""

    text: str
    words: list[re.Match[str]]
    #: The words, as the lexicon has them.
    keys: list[str]
    #: Characters of what the recogniser takes for something else than a person.
    others: frozenset[int]
    lexicon: Lexicon

    @classmethod
    def of(cls, text: str, entities: Sequence[Entity], lexicon: Lexicon) -> Reading:
        """Read a text."""
        words = list(WORD.finditer(text))
        others = (range(e.start, e.end) for e in entities if e.label in _NOT_PEOPLE)
        keys = [lexicon.read(word[0]) for word in words]
        return cls(text, words, keys, frozenset(i for characters in others for i in characters), lexicon)

    def is_plain(self) -> bool:
        """Whether all words are common ones that nothing in the text makes a name."""
        lexicon = self.lexicon
        if not all(word in lexicon.common and word not in lexicon.seldom_names for word in self.keys):
            return False
        if any(word[0][0].isupper() for word in self.words[1:]) or any(map(self._is_owner, range(len(self.keys)))):
            return False
        return not MY_NAME.search(self.text)

    def rule(self, place: int) -> str:
        """Name the rule by which a word is a name, or nothing."""
        word, lexicon = self.keys[place], self.lexicon
        if word in lexicon.common:
            return self._rule_of_word(place)
        listed = word not in lexicon.often_names and (
            word in lexicon.first_names or word in lexicon.common_surnames
        )
        if listed:
            return "" if self._is_part_of_place(place) else "list"
        if self._is_possessive(place):
            return "list.possessive"
        if self._is_introduced(place):
            return "introduced"
        return self._rule_by_context(place)

    def _is_introduced(self, place: int) -> bool:
        if self._follows(INTRODUCED, place) or self._is_introduced_particle(place - 1):
            return True
        word = self.keys[place]
        says_who = self._is_capitalised(place) and self._precedes(SAYS_WHO, place)
        return word in self.lexicon.often_names and says_who and self._follows(I_AM, place)

    def _rule_of_word(self, place: int) -> str:
        """Name the rule by which a common word is a name: what stands beside it must leave little doubt."""
        word, lexicon = self.keys[place], self.lexicon
        if word in lexicon.function_words:
            return ""
        if self._is_owner(place):
            return "list.possessive"
        ends = self._precedes(NAME_ENDS, place)
        if word not in lexicon.seldom_names:
            return "introduced" if ends and self._is_my_name(place) else self._cue_of_capital(place)
        # "My name is Will" and "call me Hope" name somebody; "my friend will come" does not.
        if self._follows(INTRODUCED, place) and (ends or self._is_capitalised(place)):
            return "introduced"
        return "cue" if self._is_told(place) or (ends and self._follows(KIN, place)) else ""

    def _cue_of_capital(self, place: int) -> str:
        """Whether a common word that is no name elsewhere is one here: "I voted for Gates"."""
        word, lexicon = self.keys[place], self.lexicon
        if not self._is_capitalised(place) or word in lexicon.never_names or word in lexicon.kin_words:
            return ""
        if opens_sentence(self.text, self.words[place]):
            return ""
        return "cue" if self._follows(SPOKEN_OF, place) else ""

    def _is_owner(self, place: int) -> bool:
        """Whether a common word is a name with an "s" that lost its apostrophe: "whats jeans number"."""
        word, lexicon = self.keys[place], self.lexicon
        owner = word[:-1] if word.endswith("s") else ""
        return (owner in lexicon.first_names or owner in lexicon.often_names) and self._precedes(OWNS, place)

    def _rule_by_context(self, place: int) -> str:
        if self._is_part_of_place(place):
            return ""
        if self._is_capital(place):
            return "capital"
        if self._is_rare(place):
            return "list.rare"
        word, lexicon = self.keys[place], self.lexicon
        often = word in lexicon.often_names
        if not often and self._is_pair(place):
            return "pair"
        speaks = self._precedes(SPEAKS, place) if not often else self._is_told(place)
        cued = self._follows(SPOKEN_OF, place) or speaks
        if cued and not (often and self.is_other(place)) and word not in lexicon.places:
            return "cue"
        return "strange" if not often and self._is_spoken_of(place) else ""

    def _is_spoken_of(self, place: int) -> bool:
        """Whether a word that nobody knows stands where people are spoken of or spoken to."""
        small = self.words[place][0].islower() or self._is_capitalised(place)
        if not small or not is_strange(self.keys[place]):
            return False
        spoken_of = self._follows(STRANGE, place) or any(self._precedes(c, place) for c in (OWNED, STRANGE_DOES))
        return spoken_of or (place == 0 and self._precedes(ADDRESSED, place))

    def _is_told(self, place: int) -> bool:
        """Whether a capitalised word did what only people do: "Grace called me"."""
        return self._is_capitalised(place) and self._precedes(TELLS, place)

    def _is_capital(self, place: int) -> bool:
        """Whether a word is capitalised inside a sentence, and nothing says that it is a thing."""
        if not self._is_capitalised(place) or self.keys[place] in self.lexicon.places:
            return False
        if opens_sentence(self.text, self.words[place]) or self._follows_article(place):
            return False
        return not self.is_other(place) or self._follows(PERHAPS, place)

    def _is_rare(self, place: int) -> bool:
        word, lexicon = self.keys[place], self.lexicon
        surname = self._is_capitalised(place) and word in lexicon.surnames and word not in lexicon.often_names
        return word in lexicon.rare_first_names or surname

    def _is_possessive(self, place: int) -> bool:
        """Whether a word is a name with an "s" that lost its apostrophe: "anns", "robins number"."""
        word, lexicon = self.keys[place], self.lexicon
        if not word.endswith("s") or word in lexicon.places:
            return False
        owner = word[:-1]
        if owner in lexicon.first_names:
            return True
        known = owner in lexicon.rare_first_names or owner in lexicon.often_names or owner not in lexicon.common
        return known and len(owner) > 2 and self._precedes(OWNS, place)

    def _is_pair(self, place: int) -> bool:
        """Whether two words stand together that are no common ones, and one of them is in a list of names."""
        if place + 1 == len(self.words) or not self._joins(JOINT, place, place + 1):
            return False
        lexicon, pair = self.lexicon, self.keys[place : place + 2]
        unknown = all(word not in lexicon.common and len(word) > 3 for word in pair)
        return unknown and any(word in lexicon.surnames or word in lexicon.rare_first_names for word in pair)

    def is_joined(self, place: int, seeds: Mapping[int, str]) -> bool:
        """Whether a word stands in one list with a name: "Ann, Foo and Bob"."""
        if self.keys[place] in self.lexicon.common or self.keys[place] in self.lexicon.places:
            return False
        before = place - 2 if place > 1 and self.keys[place - 1] in _CONJUNCTIONS else place - 1
        after = place + 2 if _CONJUNCTIONS.intersection(self.keys[place + 1 : place + 2]) else place + 1
        # The recogniser takes "Foo & Bob" for a firm; if Bob is a name all the same, Foo is one too.
        return any(
            self._joins(AND, min(place, other), max(place, other))
            and (not self.is_other(place) or self.is_other(other))
            for other in (before, after)
            if other in seeds
        )

    def extended(self, place: int, rule: str) -> Span:
        """Let a name run on over the surnames behind it, and back over a first name that is a word too."""
        first = last = place
        for other in range(place + 1, min(place + 1 + _LONGEST, len(self.words))):
            word = self.keys[other]
            if word in _PARTICLES:
                continue
            surname = word in self.lexicon.surnames or word not in self.lexicon.common
            small = self.words[place][0][0].isupper() and not self.words[other][0][0].isupper()
            if small or not surname or not self._joins(JOINT, last, other):
                break
            last = other
        if place and self.keys[place - 1] in self.lexicon.often_names and self._between(place - 1, place) == " ":
            first = place - 1
        while self._is_introduced_particle(first - 1):
            first -= 1
        return Span(self.words[first].start(), self.words[last].end(), "PERSON", f"name.{rule}")

    def _is_introduced_particle(self, place: int) -> bool:
        """Whether a name begins with a particle: "dr da Silva"."""
        return place >= 0 and self.keys[place] in _PARTICLES and self._follows(INTRODUCED, place)

    def is_other(self, place: int) -> bool:
        """Whether the recogniser takes a word for something else than a person."""
        return not self.others.isdisjoint(range(*self.words[place].span()))

    def _is_part_of_place(self, place: int) -> bool:
        capital = self._is_capitalised(place)
        return self._follows(PLACE_BEFORE, place) or (capital and self._precedes(PLACE_BEHIND, place))

    def _is_capitalised(self, place: int) -> bool:
        return is_capitalised(self.words[place][0])

    def _follows_article(self, place: int) -> bool:
        return place > 0 and self.keys[place - 1] in _ARTICLES and self._between(place - 1, place) == " "

    def _is_my_name(self, place: int) -> bool:
        said = MY_NAME.search(self.text)
        return said is not None and said.end() == self.words[place].start()

    def _follows(self, cue: re.Pattern[str], place: int) -> bool:
        start = self.words[place].start()
        if self.text[start - 1 : start] not in _CUE_ENDS:
            return False
        return bool(cue.search(self.text[max(0, start - REACH) : start]))

    def _precedes(self, cue: re.Pattern[str], place: int) -> bool:
        return bool(cue.match(self.text, self.words[place].end()))

    def _joins(self, joint: re.Pattern[str], left: int, right: int) -> bool:
        return bool(joint.fullmatch(self.text, self.words[left].end(), self.words[right].start()))

    def _between(self, left: int, right: int) -> str:
        return self.text[self.words[left].end() : self.words[right].start()]
