"""Single lines, outside the DAG: each one a conversation of its own, judged by the packaged lists alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from stages.anonymize.engine import detect as detect_conversations
from stages.anonymize.engine import prepare, replace
from stages.anonymize.lexicon import packaged
from stages.anonymize.slots import Slots
from stages.anonymize.spans import Span

#: Lines that the recogniser takes at a time.
BATCH = 256


def detect(texts: Sequence[str]) -> list[list[Span]]:
    """Find what identifies somebody in each of some lines.

    Args:
        texts: any number of lines.

    Returns:
        Per line, disjoint spans by rising start.
    """
    prepared = prepare(([text] for text in texts), packaged())
    return [spans for (spans,) in detect_conversations(prepared, packaged(), BATCH)]


def preview(lines: Iterable[str], *, explain: bool, batch: int = BATCH) -> Iterator[str]:
    """Show what anonymisation makes of lines.

    Args:
        lines: with or without their line ends.
        explain: whether to name the rule or model behind each span.
        batch: lines taken at a time; 1 answers every line at once.

    Yields:
        One JSON object a line: `text` with slots, `spans` as [start, end, type] over the input and, if asked for,
        `rules`, one a span.
    """
    stripped = (line.rstrip("\r\n") for line in lines)
    while texts := list(islice(stripped, batch)):
        for text, spans in zip(texts, detect(texts), strict=True):
            (anonymized,) = replace([text], [spans], Slots)
            shown = {"text": anonymized, "spans": [[span.start, span.end, span.type] for span in spans]}
            rules = {"rules": [span.rule for span in spans]} if explain else {}
            yield json.dumps(shown | rules, ensure_ascii=False)
