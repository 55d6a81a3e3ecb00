"""Texts as detectors read them: one kind of blank, one kind of hyphen, nothing invisible; offsets lead back."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from stages.anonymize.spans import Span

#: Unicode categories that belong to the character before them, or to nothing: marks and formatting.
_ATTACHED = ("Mn", "Me", "Cf")
_REPLACED = {"Zs": " ", "Pd": "-"}
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Plain:
    """A text in plain form, as long as the original or shorter."""

    text: str
    #: Where each character began in the original, and where that ended; None if both are the same.
    starts: Sequence[int] | None

    def original(self, span: Span) -> Span:
        """Lead a span over the plain form back to the original; marks go with their character."""
        if self.starts is None:
            return span
        return span._replace(start=self.starts[span.start], end=self.starts[span.end])


def plain(text: str) -> Plain:
    """Make a text plain.

    Without this, a no-break space or a soft hyphen inside a number would hide it from every pattern.

    Args:
        text: any text.

    Returns:
        Its plain form: blanks and hyphens of any kind as " " and "-", letters and digits of any width as the usual
        ones, letters composed with their marks, nothing invisible.
    """
    if text.isascii():
        return Plain(text, None)
    clusters: list[str] = []
    starts: list[int] = []
    for place, character in enumerate(text):
        if unicodedata.category(character) not in _ATTACHED:
            clusters.append(character)
            starts.append(place)
        elif clusters and unicodedata.combining(character):
            clusters[-1] += character
    return Plain("".join(map(_one, clusters)), [*starts, len(text)])


def _one(cluster: str) -> str:
    """One character for a character with its marks."""
    if cluster.isascii():
        return cluster
    replaced = "-" if cluster[0] == _MINUS else _REPLACED.get(unicodedata.category(cluster[0]))
    composed = unicodedata.normalize("NFKC", cluster)
    return replaced or (composed if len(composed) == 1 else cluster[0])
