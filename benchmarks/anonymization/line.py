"""A line of text and what has to be masked in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Span(NamedTuple):
    """A piece of a text."""

    start: int
    """First character."""
    end: int
    """One past the last character."""
    type: str
    """As in docs/data-format.md; a gold span of any other type is out of scope."""


@dataclass(frozen=True, slots=True)
class Line:
    """A text with its gold spans."""

    text: str
    """What a detector is given."""
    spans: tuple[Span, ...]
    """Gold spans, in order, without overlaps."""
    half: str = ""
    """`tune` (rules may be made with it) or `test`; of a labelled line its sample, `random` or `enriched`."""
    lowercase: bool = False
    """Whether the generator lower-cased the whole line."""
    locale: str = ""
    """Faker's locale of the values; empty if there are none."""
    template: str = ""
    """Id of the template, if it was made from one."""


#: What a detector is judged on. Numbers are the net under the rest: neither missed nor false.
SCOPE = (
    "PERSON", "EMAIL", "PHONE", "URL", "HANDLE", "CARD", "IBAN", "SSN", "IP", "BIRTH_DATE", "AGE", "ADDRESS",
)  # fmt: skip
