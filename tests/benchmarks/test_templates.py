"""The generated lines are the frozen ones, and fair."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from benchmarks.anonymization.generate import SLOT, TEMPLATES, checksum, generate, half_of
from benchmarks.anonymization.line import SCOPE, Line

#: Of all lines, with the Faker of requirements.lock. Changing it means another test set, with other figures:
#: say so where the figures are.
FROZEN = "92a05fdd438f91cafedce434ea38e2bab6f75afc563238a4d9a86e34da8c4564"


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return generate()


def test_nobody_tuned_the_lines(lines: list[Line]) -> None:
    assert checksum(lines) == FROZEN


def test_every_line_is_the_same_whatever_was_drawn_before(lines: list[Line]) -> None:
    assert generate() == lines


def test_halves_follow_the_ids() -> None:
    templates = [json.loads(row) for row in TEMPLATES.read_text(encoding="utf-8").splitlines()]
    assert len({t["id"] for t in templates}) == len({t["text"] for t in templates}) == len(templates) >= 150
    assert all(t["half"] == half_of(t["id"]) for t in templates)


def test_there_is_enough_of_everything(lines: list[Line]) -> None:
    assert len(lines) >= 3200
    assert min(Counter(line.half for line in lines).values()) >= 1600
    assert 0.42 < sum(line.lowercase for line in lines) / len(lines) < 0.48
    counts = Counter((line.half, span.type) for line in lines for span in line.spans)
    assert all(counts[half, kind] >= 50 for half in ("tune", "test") for kind in SCOPE)


def test_spans_lie_on_their_values(lines: list[Line]) -> None:
    for line in lines:
        assert not SLOT.search(line.text)
        ends = [0, *(span.end for span in line.spans)]
        assert all(end <= span.start < span.end for end, span in zip(ends, line.spans, strict=False))
        values = [line.text[span.start : span.end] for span in line.spans]
        assert all(value and value == value.strip() for value in values)
        assert not line.lowercase or line.text == line.text.lower()
