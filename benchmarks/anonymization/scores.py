"""Recall, precision and F2 of found spans, with intervals.

A gold span is found if every letter and digit of it is masked, by spans of whatever type: what leaks is what
counts. A predicted span is right if it overlaps a gold span of any type in scope, neither right nor false if it
overlaps only gold out of scope (a town, a firm, a bare number), else false. F2 weighs recall four times as much
as precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.anonymization.line import SCOPE, Line, Span

#: PERSON written in small letters, counted beside PERSON.
SMALL = "PERSON, small letters"
ALL = "all"
#: Predicted types that name a gold type rightly besides itself.
ALSO_RIGHT = {"BIRTH_DATE": "DATE_TIME", "AGE": "DATE_TIME"}


@dataclass(slots=True)
class Counts:
    """Counts of spans, of one line or of many."""

    gold: int = 0
    found: int = 0
    agreed: int = 0
    """Found gold spans that a predicted span of the same type overlaps."""
    right: int = 0
    false: int = 0

    def add(self, other: Counts) -> None:
        """Add another's counts to these."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def recall(self) -> float:
        """Share of the gold spans that were found; NaN without any."""
        return self.found / self.gold if self.gold else float("nan")

    @property
    def precision(self) -> float:
        """Share of right ones among the right and the false; NaN without any."""
        judged = self.right + self.false
        return self.right / judged if judged else float("nan")

    @property
    def f2(self) -> float:
        """F2 of the two."""
        return float(f2(np.array(self.recall), np.array(self.precision)))

    @property
    def agreement(self) -> float:
        """Share of found spans whose type was named rightly; NaN without any."""
        return self.agreed / self.found if self.found else float("nan")


@dataclass(slots=True)
class Score:
    """How a detector did on some lines."""

    by_type: dict[str, Counts] = field(default_factory=dict)
    lines: list[Counts] = field(default_factory=list)
    """Of each line, all types together, overlapping predicted spans taken as one."""

    @property
    def all(self) -> Counts:
        """Of all lines together."""
        return total(self.lines)


class Interval(NamedTuple):
    """A 95% bootstrap interval."""

    low: float
    high: float


def f2(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """F-measure with beta 2: 5 P R / (4 P + R), nothing where both are nothing."""
    below = 4 * precision + recall
    return np.divide(5 * precision * recall, below, out=np.zeros_like(below), where=below != 0)


def total(counts: Iterable[Counts]) -> Counts:
    """Sum of counts."""
    whole = Counts()
    for each in counts:
        whole.add(each)
    return whole


def score(
    lines: Sequence[Line], predicted: Sequence[Sequence[Span]], counted: frozenset[str] | None = None
) -> Score:
    """Judge a detector's spans.

    Args:
        lines: what it was given.
        predicted: its spans of each line.
        counted: types whose spans count for precision; None: all. Every span masks, whatever its type.

    Returns:
        Counts by type and by line.
    """
    result = Score({kind: Counts() for kind in (*SCOPE, SMALL)})
    for line, spans in zip(lines, predicted, strict=True):
        kept = [span for span in spans if counted is None or span.type in counted]
        result.lines.append(_all_types(line, spans, kept))
        for kind, counts in _each_type(line, spans, kept):
            result.by_type[kind].add(counts)
    return result


def missed(line: Line, spans: Sequence[Span]) -> list[Span]:
    """Gold spans in scope that were not found."""
    masked = {place for span in spans for place in range(span.start, span.end)}
    gold = (span for span in line.spans if span.type in SCOPE)
    return [g for g in gold if any(line.text[i].isalnum() and i not in masked for i in range(g.start, g.end))]


def verdict(line: Line, span: Span) -> str:
    """`right`, `false` or `neither`."""
    touched = [gold.type in SCOPE for gold in line.spans if _overlap(gold, span)]
    return "right" if any(touched) else "neither" if touched else "false"


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(span.end, merged[-1].end))
        else:
            merged.append(span)
    return merged


def _judged(line: Line, spans: Sequence[Span]) -> Counts:
    verdicts = [verdict(line, span) for span in _merged(spans)]
    return Counts(right=verdicts.count("right"), false=verdicts.count("false"))


def _all_types(line: Line, spans: Sequence[Span], kept: Sequence[Span]) -> Counts:
    counts, left = _judged(line, kept), missed(line, spans)
    gold = [span for span in line.spans if span.type in SCOPE]
    counts.gold, counts.found = len(gold), len(gold) - len(left)
    counts.agreed = sum(_agrees(g, spans) for g in gold if g not in left)
    return counts


def _each_type(line: Line, spans: Sequence[Span], kept: Sequence[Span]) -> Iterable[tuple[str, Counts]]:
    left = missed(line, spans)
    for gold in line.spans:
        if gold.type in SCOPE:
            found = gold not in left
            counts = Counts(gold=1, found=found, agreed=found and _agrees(gold, spans))
            yield gold.type, counts
            if _is_small(line, gold):
                yield SMALL, counts
    for kind in SCOPE:
        named = [span for span in kept if _names(span.type, kind)]
        yield kind, _judged(line, named)
        if kind == "PERSON":
            yield SMALL, _judged(line, [span for span in named if line.text[span.start : span.end].islower()])


def _is_small(line: Line, gold: Span) -> bool:
    return gold.type == "PERSON" and line.text[gold.start : gold.end].islower()


def _names(predicted: str, gold: str) -> bool:
    return predicted in (gold, ALSO_RIGHT.get(gold))


def _agrees(gold: Span, spans: Sequence[Span]) -> bool:
    return any(_overlap(gold, span) and _names(span.type, gold.type) for span in spans)


def resampled(lines: Sequence[Line], scores: Sequence[Score], rounds: int, seed: int) -> NDArray[np.float64]:
    """Figures of detectors on resampled lines, all detectors on the same ones.

    Lines of one template resemble each other, so templates are drawn; a line without one stands for itself.

    Args:
        lines: what the scores were made from.
        scores: one a detector.
        rounds: resamples.
        seed: of the draws.

    Returns:
        Figures, float64 [detectors, rounds, 4]: recall, precision, F2, false hits per 1,000 lines.
    """
    names = [line.template or f"line {n}" for n, line in enumerate(lines)]
    groups, group_of = np.unique(names, return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=rounds)
    return np.stack([_figures(drawn, group_of, s.lines) for s in scores])


def _figures(drawn: NDArray[np.int64], group_of: NDArray[np.intp], counts: Sequence[Counts]) -> NDArray[np.float64]:
    rows = np.array([(c.gold, c.found, c.right, c.false, 1) for c in counts], dtype=float)
    sums = np.zeros((drawn.shape[1], 5))
    np.add.at(sums, group_of, rows)
    gold, found, right, false, lines = (drawn @ sums).T
    recall = found / np.maximum(gold, 1)
    precision = right / np.maximum(right + false, 1)
    return np.stack([recall, precision, f2(recall, precision), 1000 * false / lines], axis=1)


def interval(values: NDArray[np.float64]) -> Interval:
    """The middle 95% of resampled values."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))
