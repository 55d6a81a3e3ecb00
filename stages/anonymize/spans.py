"""Where something identifying stands in a text, and what to do if two such places overlap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

#: Every type of slot; where two spans of equal length overlap, the type named first wins.
TYPES = (
    "EMAIL", "URL", "IBAN", "CARD", "SSN", "IP", "BIRTH_DATE", "PHONE", "ADDRESS", "HANDLE", "PERSON", "AGE",
    "NUMBER",
)  # fmt: skip


class Span(NamedTuple):
    """Characters `start` (inclusive) to `end` (exclusive) of a text, and one of `TYPES`."""

    start: int
    end: int
    type: str
    #: What found it, for people: e.g. "phone.international", "ner".
    rule: str


def resolve(spans: Iterable[Span]) -> list[Span]:
    """Merge overlapping spans, so that nothing that any detector found is left standing.

    Args:
        spans: spans of one text, in any order.

    Returns:
        Disjoint spans by rising start that cover the same characters. A merged span has type and rule of its
        longest part; of parts equally long, the type that `TYPES` names first.
    """
    merged: list[tuple[Span, Span]] = []
    for span in sorted(spans):
        if not merged or span.start >= merged[-1][0].end:
            merged.append((span, span))
            continue
        whole, longest = merged[-1]
        longest = max(longest, span, key=_rank)
        merged[-1] = Span(whole.start, max(whole.end, span.end), longest.type, longest.rule), longest
    return [whole for whole, _ in merged]


def _rank(span: Span) -> tuple[int, int]:
    return span.end - span.start, -TYPES.index(span.type)
