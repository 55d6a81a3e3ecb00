"""The other lines keep still as well, and need no network."""

from __future__ import annotations

import socket
from importlib.util import find_spec

import pytest

from benchmarks.anonymization import detectors, sets
from benchmarks.anonymization.generate import checksum
from benchmarks.anonymization.line import SCOPE, Line, Span

#: Presidio is not in the pipeline's environment, where it would slow every process; `make bench` runs these.
in_bench = pytest.mark.skipif(
    find_spec("presidio_analyzer") is None, reason="needs the environment of `make bench`"
)

EVALUATOR = "91edc653a51863f47f0001250fdab8dabb6532bf0740066a7cd1c248f46b7a0c"


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def by_type(line: Line) -> dict[str, str]:
    return {span.type: line.text[span.start : span.end] for span in line.spans}


@in_bench
@pytest.mark.usefixtures("_no_network")
def test_the_evaluators_sentences_are_always_the_same() -> None:
    lines = sets.evaluator()
    assert len(lines) == sets.SENTENCES
    assert checksum(lines) == EVALUATOR
    for line in lines:
        assert all(a.end <= b.start for a, b in zip(line.spans, line.spans[1:], strict=False))
    assert all(any(char.isdigit() for char in by_type(line).get("ADDRESS", "1")) for line in lines)
    assert {span.type for line in lines for span in line.spans} >= set(SCOPE) - {"HANDLE"}


def test_labels_lie_on_the_texts_that_were_labelled() -> None:
    lines = sets.real()
    assert len(lines) == 300
    assert {line.half for line in lines} == {"random", "enriched"}
    assert all(span.end <= len(line.text) for line in lines for span in line.spans)


@in_bench
@pytest.mark.usefixtures("_no_network")
def test_presidio_runs_as_it_comes() -> None:
    (spans,) = detectors.presidio()(["I am Mary Smith, write to mary@example.com"])
    assert {Span(5, 15, "PERSON"), Span(26, 42, "EMAIL")} <= set(spans)
