"""The profile of a file of WhatsApp: the form of its headers and the order of its dates, decided once.

A file that does not tell the order asks those of the same form beside it, which are of the same phone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stages.common.messages import Rejected
from stages.ingest.readers.exports import Export, read_text, shown
from stages.ingest.readers.whatsapp_dates import Order
from stages.ingest.readers.whatsapp_entries import Head, heads_of, of_another_order, own_form, too_many
from stages.ingest.readers.whatsapp_order import CLEAR, TOLD, Scores, added, best, evidence, habit, told_apart

#: Evidence of files of a form.
Siblings = Callable[[str], Scores]


@dataclass(frozen=True, slots=True)
class Profile:
    """What is the same in all of a file."""

    form: str
    order: Order
    #: False where params say the order: then dates that do not fit are rejected, and none is taken for pasted.
    found: bool = True
    #: False where the form alone decides the order.
    told: bool = True


@dataclass(slots=True)
class Phones:
    """Evidence for the order of dates by folder and form of header, gathered when a file needs it."""

    export: Export
    _known: dict[Path, dict[str, Scores]] = field(default_factory=dict)

    def evidence(self, path: Path, form: str) -> Scores:
        """Add up the evidence of all files of a form in a folder; an iPhone makes a folder of each chat."""
        shelf = _shelf(path)
        if shelf not in self._known:
            self._known[shelf] = self._gathered(shelf)
        return self._known[shelf].get(form, {})

    def _gathered(self, shelf: Path) -> dict[str, Scores]:
        sums: dict[str, Scores] = {}
        for path in self.export.files:
            text = read_text(path, shown(path, self.export.logs)) if _shelf(path) == shelf else ""
            heads = heads_of(lines := lines_of(text)) if isinstance(text, str) else []
            if heads:
                form = own_form(lines, heads)
                sums[form] = added(sums.get(form, {}), _evidence(heads, form))
        return sums


def _shelf(path: Path) -> Path:
    return path.parent.parent if path.stem.startswith("_chat") else path.parent


def lines_of(text: str) -> list[str]:
    """Split a file into lines, of Windows too."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def _evidence(heads: Sequence[Head], form: str) -> Scores:
    return evidence([(head.header, head.line) for head in heads if head.header.form == form])


def profile_of(lines: Sequence[str], heads: Sequence[Head], siblings: Siblings) -> Profile:
    """Decide the form of a file's headers and the order of its dates.

    Args:
        lines: of the file.
        heads: those that start with a date, in whatever form, at least one.
        siblings: tells the evidence of the files of a form beside this one; asked if this one does not tell.

    Returns:
        The profile, its order the likeliest.
    """
    form = own_form(lines, heads)
    headers = [head.header for head in heads if head.header.form == form]
    scores = _evidence(heads, form)
    if not told_apart(headers, scores, CLEAR):
        scores = added(scores, siblings(form))
    likely = added(scores, habit(headers))
    return Profile(form, best(likely), told=told_apart(headers, scores, TOLD))


def own_heads(heads: Sequence[Head], profile: Profile) -> tuple[list[Head], list[Head]]:
    """Tell the lines that start a message from those that somebody pasted."""
    own: list[Head] = []
    pasted: list[Head] = []
    for head in heads:
        other = profile.found and of_another_order(head.header, profile.order)
        (pasted if other or head.header.form != profile.form else own).append(head)
    return own, pasted


def contradiction(file: str, heads: Sequence[Head], own: Sequence[Head]) -> Rejected | None:
    """Refuse a file of which too many lines have dates of another form or order to be pasted."""
    if not too_many(len(heads) - len(own), len(own)):
        return None
    return Rejected(file, 1, "file with dates of two forms or orders: split it, or export the chat again", "")
