"""The answer and its trace."""

from __future__ import annotations

from pathlib import Path

from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.responder import Responder
from tests.bundles import build_bundles, pin


def test_the_best_candidate_that_may_be_said_is_said(opened: OpenRelease) -> None:
    reply = Responder(opened).answer(Dialogue.from_lines(["I feel lonely"]))
    candidates = reply.trace.candidates
    assert candidates[0].text == "I feel lonely!"
    assert candidates[0].dropped == "echo"
    assert reply.text == next(candidate.text for candidate in candidates if candidate.dropped is None)
    scores = [candidate.score for candidate in candidates]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == opened.index.facts["candidates"]


def test_the_trace_names_release_and_source(opened: OpenRelease) -> None:
    responder = Responder(opened)
    sources = [responder.answer(Dialogue.from_lines([text])).trace.source for text in ("hi", "hi you", "Hi  you")]
    assert sources == ["cold", "model", "hot"]
    trace = responder.answer(Dialogue.from_lines(["hi"])).trace
    assert trace.release == str(opened.release)
    assert min(trace.encode_ms, trace.search_ms, trace.filter_ms) >= 0


def test_the_context_is_the_last_turns_only(opened: OpenRelease) -> None:
    responder = Responder(opened)
    short = responder.answer(Dialogue.from_lines(["i like rain", "you miss home"]))
    long = responder.answer(Dialogue.from_lines(["they want pizza", "i like rain", "you miss home"]))
    assert [c.text for c in short.trace.candidates] == [c.text for c in long.trace.candidates]


def test_no_candidate_is_fit_to_say(tmp_path: Path) -> None:
    opened = open_release(pin(build_bundles(tmp_path, replies=["Hello!"])))
    reply = Responder(opened).answer(Dialogue.from_lines(["hello"]))
    assert reply.text is None
    assert [candidate.dropped for candidate in reply.trace.candidates] == ["echo"]
