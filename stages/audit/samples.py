"""Samples of the generator, judged: what one person alone has said, and what it must never say; counts only.

Written apart from the bundle's own filter, over all validated messages. What few have said counts only if the
generator has learnt it: that chance finds the words of somebody whom it never met is no memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from rejoinder.progress import track
from rejoinder.text import normalize
from stages.common.messages import part_paths
from stages.common.words import dictionary, family_words, function_words, human_claims, kin_words

#: What may be wrong with a sample.
FAULTS = ("long_spans", "telling_spans", "names", "slots", "human")
_LONG, _SHORT = 8, 3
_NUMBERS = frozenset((
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty", "fifty",
    "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million", "billion",
))  # fmt: skip
_SLOT = re.compile(r"<[A-Z_]{2,}|\b[A-Z_]{2,}_\d+\b", re.I)  # half a slot, too
_TOKEN = re.compile(r"<[A-Z_]+_\d+>|[^\W\d_]+")
_PERSON = "<PERSON_"
#: Times that a slot must have followed the same words, and the share of all that has, for these to be its place.
_LEAST, _SHARE = 5, 0.5
_KNOWN = (dictionary, function_words, kin_words)


def judge_samples(samples: pl.DataFrame, messages: Path, pairs: pl.DataFrame) -> dict[str, Any]:
    """Count what must not be in samples.

    Args:
        samples: of the stage `generator`: source, text, is_public.
        messages: a validated messages table.
        pairs: source, sender, role, split and reply.

    Returns:
        samples; withheld, by the bundle's own filter; faulty samples by fault, `before` that filter and `after` it,
        and of as many replies of people that were not learnt (`held_out`): so much is chance, or talk.
    """
    sources = samples["source"].unique().to_list()
    ours = pairs.filter(pl.col("source").is_in(sources))
    others = ours.filter(split="test")["reply"]
    held_out = others.sample(min(len(samples), len(others)), seed=0).to_list()
    texts = [*samples["text"].to_list(), *held_out]
    said = list(_said(messages, pairs))
    own = _of_one_person(texts, said, frozenset(ours.filter(split="train")["reply"]))
    places = slot_places([text for _, text in said])
    found = [set(_faults(text, own, places)) for text in texts]
    before, chance = found[: len(samples)], found[len(samples) :]
    after = [faults for faults, public in zip(before, samples["is_public"], strict=True) if public]
    counts = {name: _counts(of) for name, of in (("before", before), ("after", after), ("held_out", chance))}
    return {"samples": len(before), "withheld": len(before) - len(after), **counts}


def _counts(found: Iterable[set[str]]) -> dict[str, int]:
    counts = Counter(fault for faults in found for fault in faults)
    return {fault: counts[fault] for fault in FAULTS}


def _said(messages: Path, pairs: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Who said what, each once: single messages, and turns, of which one may be several messages."""
    parts = [pl.read_parquet(part, columns=["sender", "text", "role"]) for part in part_paths(messages)]
    table = pl.concat([*parts, pairs.select("sender", "reply", "role").rename({"reply": "text"})])
    yield from table.filter(pl.col("role") == "user").select("sender", "text").unique().iter_rows()


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", normalize(text))


def long_spans(text: str) -> Iterator[str]:
    """Every eight neighbouring words of a text."""
    spoken = _words(text)
    return (" ".join(spoken[at : at + _LONG]) for at in range(len(spoken) - _LONG + 1))


def telling_spans(text: str) -> Iterator[str]:
    """Every three neighbouring words of a text that may tell of somebody: with a number or a word for kin."""
    spoken = _words(text)
    for at in range(len(spoken) - _SHORT + 1):
        span = spoken[at : at + _SHORT]
        if any(word in _NUMBERS or word in family_words() or re.search(r"\d", word) for word in span):
            yield " ".join(span)


#: Kinds of spans, by the fault that it is to repeat one.
_SPANS: dict[str, Callable[[str], Iterator[str]]] = {"long_spans": long_spans, "telling_spans": telling_spans}


def _of_one_person(texts: Sequence[str], said: Sequence[tuple[str, str]], learnt: frozenset[str]) -> frozenset[str]:
    """Spans of texts that only one person has said, among what was learnt."""
    wanted = {span for text in texts for spans in _SPANS.values() for span in spans(text)}
    speakers: dict[str, str | None] = {}
    known: set[str] = set()
    for sender, text in track(said, "audit: spans of samples", "message"):
        for span in _spans_in(text, wanted):
            speakers[span] = sender if speakers.setdefault(span, sender) == sender else None
            if text in learnt:
                known.add(span)
    return frozenset(span for span in known if speakers[span])


def _spans_in(text: str, wanted: set[str]) -> Iterator[str]:
    spoken = _words(text)
    for width in (_SHORT, _LONG):
        for at in range(len(spoken) - width + 1):
            if (span := " ".join(spoken[at : at + width])) in wanted:
                yield span


def slot_places(texts: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """Find the words after which there mostly stands the slot of a person, one or two: ("name", "is").

    Args:
        texts: anonymised.

    Returns:
        The words, in small letters.
    """
    slots: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        if _PERSON in text:
            slots.update(
                place for before, token in _followed(text) if token.startswith(_PERSON) for place in before
            )
    often = {place for place, times in slots.items() if times >= _LEAST}
    every: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        every.update(place for before, _ in _followed(text) for place in before if place in often)
    return frozenset(place for place in often if slots[place] >= _SHARE * every[place])


def _followed(text: str) -> Iterator[tuple[list[tuple[str, ...]], str]]:
    """Every token of a text, with the word before it and the two words before it."""
    tokens = _TOKEN.findall(text)
    small = [token.lower() for token in tokens]
    for at in range(1, len(tokens)):
        yield [tuple(small[at - n : at]) for n in (1, 2) if at >= n], tokens[at]


def _faults(text: str, own: frozenset[str], places: frozenset[tuple[str, ...]]) -> Iterator[str]:
    for fault, spans in _SPANS.items():
        if any(span in own for span in spans(text)):
            yield fault
    if any(places.intersection(before) and is_name(token) for before, token in _followed(text)):
        yield "names"
    if _SLOT.search(text):
        yield "slots"
    spoken = f" {' '.join(_words(text))} "
    if any(f" {claim} " in spoken for claim in human_claims()):
        yield "human"


def is_name(token: str) -> bool:
    """Whether a word is in no dictionary, as names are not."""
    word = token.lower()
    return len(word) > 1 and word[0] != "<" and not any(word in known() for known in _KNOWN)
