"""Spans: what overlaps becomes one, and nothing found is left standing."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from stages.anonymize.spans import TYPES, Span, resolve

SPANS = st.lists(
    st.builds(
        lambda start, length, kind: Span(start, start + length, kind, kind.lower()),
        st.integers(0, 30),
        st.integers(1, 9),
        st.sampled_from(TYPES),
    )
)


@settings(max_examples=100)
@given(SPANS)
def test_resolved_spans_are_sorted_disjoint_and_cover_the_same_characters(spans: list[Span]) -> None:
    resolved = resolve(spans)
    assert {i for s in resolved for i in range(s.start, s.end)} == {i for s in spans for i in range(s.start, s.end)}
    assert all(a.end <= b.start for a, b in pairwise(resolved))


@settings(max_examples=100)
@given(st.data(), SPANS)
def test_the_order_of_detectors_does_not_matter(data: st.DataObject, spans: list[Span]) -> None:
    assert resolve(spans) == resolve(data.draw(st.permutations(spans)))


@settings(max_examples=100)
@given(SPANS)
def test_resolving_twice_changes_nothing(spans: list[Span]) -> None:
    assert resolve(resolve(spans)) == resolve(spans)


def test_the_longest_part_gives_type_and_rule() -> None:
    assert resolve([Span(0, 4, "NUMBER", "a"), Span(2, 9, "PHONE", "b")]) == [Span(0, 9, "PHONE", "b")]


def test_of_parts_equally_long_the_type_named_first_wins() -> None:
    assert resolve([Span(0, 4, "PERSON", "a"), Span(0, 4, "EMAIL", "b")]) == [Span(0, 4, "EMAIL", "b")]


def test_a_chain_of_overlaps_keeps_its_longest_part() -> None:
    chain = [Span(0, 5, "AGE", "a"), Span(4, 7, "CARD", "b"), Span(6, 9, "IP", "c")]
    assert resolve(chain) == [Span(0, 9, "AGE", "a")]


def test_neighbours_stay_apart() -> None:
    spans = [Span(0, 4, "AGE", "a"), Span(4, 7, "CARD", "b")]
    assert resolve(reversed(spans)) == spans
