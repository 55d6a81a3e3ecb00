"""Which names of one conversation are the same person's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping


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
