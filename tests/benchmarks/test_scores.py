"""What counts as found, right and false."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.anonymization.line import Line, Span
from benchmarks.anonymization.scores import SMALL, interval, missed, resampled, score, verdict

TEXT = "ann lee is in Oslo, call 555-0199"
LINE = Line(TEXT, (Span(0, 7, "PERSON"), Span(14, 18, "CITY"), Span(25, 33, "PHONE")))


def test_a_span_is_found_only_if_all_its_letters_and_digits_are_masked() -> None:
    assert missed(LINE, [Span(0, 3, "PERSON"), Span(4, 7, "CARD"), Span(25, 32, "PHONE")]) == [LINE.spans[2]]


def test_what_touches_only_other_gold_is_neither_right_nor_false() -> None:
    spans = [Span(5, 10, "NUMBER"), Span(14, 18, "ADDRESS"), Span(20, 24, "PERSON")]
    assert [verdict(LINE, span) for span in spans] == ["right", "neither", "false"]


def test_counts_by_type_and_over_all() -> None:
    found = score([LINE], [[Span(0, 7, "PERSON"), Span(2, 7, "CARD"), Span(20, 24, "PERSON"), Span(25, 33, "SSN")]])
    assert (found.all.gold, found.all.found, found.all.agreed, found.all.right, found.all.false) == (2, 2, 1, 2, 1)
    person, phone = found.by_type["PERSON"], found.by_type["PHONE"]
    assert (person.recall, person.precision) == (1, 0.5)
    assert person.f2 == pytest.approx(5 / 6)
    assert (phone.recall, phone.agreement, phone.right) == (1, 0, 0)
    assert found.by_type[SMALL].gold == 1
    assert math.isnan(found.by_type["EMAIL"].recall)


def test_uncounted_types_still_mask() -> None:
    found = score([LINE], [[Span(0, 7, "ADDRESS"), Span(20, 24, "ADDRESS")]], frozenset({"PERSON"}))
    assert (found.all.found, found.all.right, found.all.false) == (1, 0, 0)


def test_lines_of_one_template_are_drawn_together() -> None:
    lines = [Line(TEXT, LINE.spans, template="t1") for _ in range(4)]
    scores = score(lines, [[Span(0, 7, "PERSON")]] * 4), score(lines, [list(LINE.spans)] * 4)
    drawn = resampled(lines, scores, 50, 0)
    assert drawn.shape == (2, 50, 4)
    assert interval(drawn[0, :, 0]) == (0.5, 0.5)
    assert interval(drawn[1, :, 2]) == (1, 1)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 32), st.integers(1, 8)), max_size=6))
def test_more_masks_never_find_less(places: list[tuple[int, int]]) -> None:
    spans = [Span(start, min(start + size, len(TEXT)), "PERSON") for start, size in places]
    left = [len(missed(LINE, spans[:count])) for count in range(len(spans) + 1)]
    assert left == sorted(left, reverse=True)
    counts = score([LINE], [spans]).all
    assert counts.right + counts.false <= len(spans)
