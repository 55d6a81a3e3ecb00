"""Names of people in one text: by recogniser, by list, by what stands around them.

Named-entity recognition costs a thousand times more than a look into a list, so only texts pass to it that hold a
capitalised word which is not usually written small. It misses small names, and on chat it tags interjections; so
lists and cues find what it misses, and what it finds must hold a name-like word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stages.anonymize.lexicon import WORD, Lexicon, is_capitalised, key, opens_sentence
from stages.anonymize.name_words import JOINT, Reading
from stages.anonymize.recognizer import Entity
from stages.anonymize.spans import Span

_CAMEL = re.compile(r"[a-z][A-Z][a-z]{2}")
_CAPITALISED = re.compile(r"[A-Z][^\W\d_A-Z]{2,}")


def may_hold_name(text: str, lexicon: Lexicon) -> bool:
    """The gate: whether the recogniser has to see a text."""
    for match in WORD.finditer(text):
        if match[0][0].isupper():
            if lexicon.is_name_like(match[0]):
                return True
            if match[0].istitle() and key(match[0]) in lexicon.often_names and not opens_sentence(text, match):
                return True
    return False


def find(text: str, entities: Sequence[Entity], lexicon: Lexicon) -> list[Span]:
    """Find the names in one text.

    Args:
        text: one message.
        entities: what the recogniser found in it; nothing if it was not asked.
        lexicon: which words are names.

    Returns:
        Spans of type PERSON, possibly overlapping.
    """
    reading = Reading.of(text, entities, lexicon)
    if reading.is_plain():
        return []
    found = [span for entity in entities if entity.label == "PERSON" for span in _cut(text, entity, lexicon)]
    seeds = {place: rule for place in range(len(reading.words)) if (rule := reading.rule(place))}
    for place in range(len(reading.words)):
        if place not in seeds and reading.is_joined(place, seeds):
            seeds[place] = "joined"
    found += _glued(reading)
    return found + [reading.extended(place, rule) for place, rule in seeds.items()]


def _glued(reading: Reading) -> Iterator[Span]:
    """Names in one piece with other words: "JusticeForMateusz"."""
    for match in reading.words if _CAMEL.search(reading.text) else ():
        parts = _CAPITALISED.findall(match[0]) if _CAMEL.search(match[0]) else []
        lexicon = reading.lexicon
        if any(key(part) in lexicon.first_names or key(part) in lexicon.rare_first_names for part in parts):
            yield Span(*match.span(), "PERSON", "name.glued")


def _cut(text: str, entity: Entity, lexicon: Lexicon) -> Iterator[Span]:
    """Cut what was tagged as one person into runs of capitalised words, at least one of them name-like.

    "George. Jerry Seinfeld's" holds "George" and "Jerry Seinfeld".
    """
    runs: list[list[re.Match[str]]] = []
    for match in (m for m in WORD.finditer(text, entity.start, entity.end) if is_capitalised(m[0])):
        if runs and JOINT.fullmatch(text, runs[-1][-1].end(), match.start()):
            runs[-1].append(match)
        else:
            runs.append([match])
    for run in runs:
        if any(
            lexicon.is_name_like(match[0])
            or key(match[0]) in lexicon.often_names
            or (key(match[0]) in lexicon.seldom_names and not opens_sentence(text, match))
            for match in run
        ):
            yield Span(run[0].start(), run[-1].end(), "PERSON", "name.recognizer")
