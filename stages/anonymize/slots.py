"""Typed slots: what stands in a text in place of what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from stages.anonymize.plain_text import plain
from stages.anonymize.spans import Span

#: What replaces a surface: type and surface -> replacement.
Replace = Callable[[str, str], str]


def fold(surface: str) -> str:
    """Make a surface's spellings equal: case, white space and what is invisible make no difference."""
    return " ".join(plain(surface).text.casefold().split())


class Slots:
    """The slots of one conversation: the same surface always gets the same slot, e.g. `<PERSON_1>`."""

    def __init__(self, same: Mapping[str, str] | None = None) -> None:
        """Begin a conversation.

        Args:
            same: folded names of people -> folded names of the same people.
        """
        self._same = same or {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._used: Counter[str] = Counter()

    def __call__(self, kind: str, surface: str) -> str:
        """Return a surface's slot."""
        folded = fold(surface)
        key = kind, self._same.get(folded, folded) if kind == "PERSON" else folded
        if key not in self._numbers:
            self._used[kind] += 1
            self._numbers[key] = self._used[kind]
        return f"<{kind}_{self._numbers[key]}>"


def fill(text: str, spans: Sequence[Span], replace: Replace) -> str:
    """Replace spans.

    Args:
        text: one message of the conversation.
        spans: disjoint, by rising start.
        replace: what to put instead of each.

    Returns:
        The text with a replacement in place of each span.
    """
    parts, end = [], 0
    for span in spans:
        parts += [text[end : span.start], replace(span.type, text[span.start : span.end])]
        end = span.end
    return "".join([*parts, text[end:]])
