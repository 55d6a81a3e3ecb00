"""Typed slots: what stands in a text in place of what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stages.pii.spans import Span


class Slots:
    """The slots of one conversation: the same surface always gets the same slot, e.g. `<PERSON_1>`."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._used: Counter[str] = Counter()

    def slot(self, kind: str, surface: str) -> str:
        """Return a surface's slot; case and white space make no difference."""
        key = kind, " ".join(surface.casefold().split())
        if key not in self._numbers:
            self._used[kind] += 1
            self._numbers[key] = self._used[kind]
        return f"<{kind}_{self._numbers[key]}>"

    def fill(self, text: str, spans: Sequence[Span]) -> str:
        """Replace spans by slots.

        Args:
            text: one message of the conversation.
            spans: disjoint, by rising start.

        Returns:
            The text with a slot in place of each span.
        """
        parts, end = [], 0
        for span in spans:
            parts += [text[end : span.start], self.slot(span.type, text[span.start : span.end])]
            end = span.end
        return "".join([*parts, text[end:]])
