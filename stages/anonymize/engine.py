"""Anonymise whole conversations: patterns and names over every text, the recogniser where a gate says so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stages.anonymize import accounts, addresses, ages, names, structured
from stages.anonymize.lexicon import Lexicon
from stages.anonymize.mentions import Mentions
from stages.anonymize.plain_text import Plain, plain
from stages.anonymize.recognizer import Entity, recognize
from stages.anonymize.same_person import same_person
from stages.anonymize.slots import Replace, fill, fold
from stages.anonymize.spans import Span, resolve

#: Without one there is neither an age nor a street address.
_DIGIT = re.compile(r"\d")

#: The texts of one conversation, in order.
Conversation = Sequence[str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Conversations in plain form, and which of their texts the recogniser has to see."""

    conversations: Sequence[Sequence[Plain]]
    gated: Counter[str]


def prepare(conversations: Iterable[Conversation], lexicon: Lexicon) -> Prepared:
    """Make conversations plain, and ask the gate."""
    read = [[plain(text) for text in texts] for texts in conversations]
    gated = Counter(t.text for texts in read for t in texts if names.may_hold_name(t.text, lexicon))
    return Prepared(read, gated)


def detect(
    prepared: Prepared, lexicon: Lexicon, batch_size: int, known: Iterable[Mentions] | None = None
) -> Iterator[list[list[Span]]]:
    """Find everything that identifies somebody.

    Args:
        prepared: conversations, whole, since a name found anywhere in one is looked for everywhere in it.
        lexicon: which words are names.
        batch_size: texts that the recogniser takes at a time.
        known: names that are known beforehand, one search a conversation; what is found joins it.

    Yields:
        Per conversation, per text, disjoint spans by rising start, over the original.
    """
    gated = list(prepared.gated)
    entities = dict(zip(gated, recognize(gated, batch_size), strict=True))
    searches = known if known is not None else (Mentions() for _ in prepared.conversations)
    for texts, mentions in zip(prepared.conversations, searches, strict=True):
        found = _detect([text.text for text in texts], entities, lexicon, mentions)
        yield [[text.original(span) for span in spans] for text, spans in zip(texts, found, strict=True)]


def _detect(
    texts: Conversation, entities: Mapping[str, list[Entity]], lexicon: Lexicon, mentions: Mentions
) -> list[list[Span]]:
    people = [names.find(text, entities.get(text, ()), lexicon) for text in texts]
    mentions.add_found(surfaces(texts, people), lexicon)
    spans = []
    for text, found in zip(texts, people, strict=True):
        everything = [*found, *structured.find(text), *accounts.find(text, lexicon)]
        if _DIGIT.search(text):
            everything += [*ages.find(text), *addresses.find(text)]
        if mentions:
            everything += mentions.find(text, lexicon)
        spans.append(resolve(everything))
    return spans


def surfaces(texts: Conversation, spans: Sequence[Sequence[Span]]) -> set[str]:
    """Collect the names of people that were found in a conversation, as they are written."""
    return {
        text[span.start : span.end]
        for text, found in zip(texts, spans, strict=True)
        for span in found
        if span.type == "PERSON"
    }


#: Makes a conversation's replacements, given which names are the same person's.
NewReplace = Callable[[Mapping[str, str]], Replace]


def replace(texts: Conversation, spans: Sequence[Sequence[Span]], new: NewReplace) -> list[str]:
    """Replace what was found in one conversation.

    Args:
        texts: the conversation.
        spans: from `detect`.
        new: e.g. `Slots`.

    Returns:
        The texts, with a replacement in place of each span.
    """
    replacement = new(same_person(fold(surface) for surface in surfaces(texts, spans)))
    return [fill(text, found, replacement) for text, found in zip(texts, spans, strict=True)]


def count(spans: Sequence[Sequence[Span]]) -> Counter[str]:
    """Count spans by type."""
    return Counter(span.type for found in spans for span in found)
