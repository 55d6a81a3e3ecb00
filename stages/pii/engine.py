"""Anonymise whole conversations, in shards that may run in processes of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

from stages.pii import names, structured
from stages.pii.slots import Slots
from stages.pii.spans import Span, resolve

#: The texts of one conversation, in order.
Conversation = Sequence[str]


@dataclass(slots=True)
class Anonymized:
    """The conversations of one shard, anonymised, and what was done to them."""

    conversations: list[list[str]] = field(default_factory=list)
    #: How many spans were replaced, by type.
    replaced: Counter[str] = field(default_factory=Counter)
    #: How many texts the recogniser saw.
    recognized: int = 0


def find(text: str, people: names.NameFinder | None) -> list[Span]:
    """Find everything that identifies somebody in one text.

    Args:
        text: one message.
        people: the names of its conversation.

    Returns:
        Disjoint spans, by rising start.
    """
    return resolve([*structured.find(text), *(people.find(text) if people else [])])


def anonymize_shard(conversations: Sequence[Conversation], common: frozenset[str], batch_size: int) -> Anonymized:
    """Anonymise some conversations.

    Args:
        conversations: each of them whole, since names and slots are its own.
        common: from `names.common_words`, over the whole corpus.
        batch_size: texts that the recogniser takes at a time.

    Returns:
        The same conversations, in the same order.
    """
    gated = [
        (place, text)
        for place, conversation in enumerate(conversations)
        for text in conversation
        if names.may_hold_name(text, common)
    ]
    people: list[set[str]] = [set() for _ in conversations]
    found = names.recognize([text for _, text in gated], common, batch_size)
    for (place, _), surfaces in zip(gated, found, strict=True):
        people[place].update(surfaces)
    done = Anonymized(recognized=len(gated))
    for conversation, known in zip(conversations, people, strict=True):
        finder, slots = names.NameFinder.of(known, common), Slots()
        spans = [find(text, finder) for text in conversation]
        done.replaced.update(span.type for found_here in spans for span in found_here)
        done.conversations.append([slots.fill(t, s) for t, s in zip(conversation, spans, strict=True)])
    return done


def anonymize_shards(
    shards: Iterable[Sequence[Conversation]], common: frozenset[str], *, workers: int, batch_size: int
) -> Iterator[Anonymized]:
    """Anonymise shards, one after the other or in processes.

    Args:
        shards: conversations.
        common: from `names.common_words`, over the whole corpus.
        workers: number of processes; 1 stays in this one.
        batch_size: texts that the recogniser takes at a time.

    Yields:
        The shards' results, in their order.
    """
    work = partial(anonymize_shard, common=common, batch_size=batch_size)
    if workers == 1:
        yield from map(work, shards)
        return
    # Spawned, not forked: the parent has threads (polars), and forking those may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, shards)
