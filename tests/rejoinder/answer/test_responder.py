"""The answer, its steps and its trace."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from rejoinder.answer.reply import Candidate
from rejoinder.answer.responder import STEPS, Responder
from rejoinder.answer.retrieve import retrieve
from rejoinder.answer.state import State, Step
from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import OpenRelease, open_release
from tests.bundles import build_bundles, pin

LONELY = Dialogue.from_lines(["I feel lonely"])


def test_the_best_candidate_that_may_be_said_is_said(opened: OpenRelease) -> None:
    reply = Responder(opened).answer(LONELY)
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
    assert responder.answer(Dialogue.from_lines(["hi"])).trace.release == str(opened.release)


def test_the_trace_tells_of_every_step_what_went_in_and_out_and_why(opened: OpenRelease) -> None:
    trace = Responder(opened).answer(LONELY).trace
    found = len(trace.candidates)
    reasons = Counter(candidate.dropped for candidate in trace.candidates if candidate.dropped)
    assert reasons["echo"] >= 1
    told = [(step.name, step.candidates_in, step.candidates_out, dict(step.dropped)) for step in trace.steps]
    assert told == [
        ("listen", 0, 0, {}),
        ("encode", 0, 0, {}),
        ("watch", 0, 0, {}),
        ("route", 0, 0, {}),
        ("annotate", 0, 0, {}),
        ("retrieve", 0, found, {}),
        ("remark", found, found, {}),
        ("generate", found, found, {}),
        ("filter", found, found - reasons.total(), dict(reasons)),
        ("veto", found - reasons.total(), found - reasons.total(), {}),
        ("limit", found - reasons.total(), found - reasons.total(), {}),
        ("rank", found - reasons.total(), found - reasons.total(), {}),
        ("weak", found - reasons.total(), found - reasons.total(), {}),
        ("choose", found - reasons.total(), found - reasons.total(), {}),
    ]
    assert all(step.milliseconds > 0 for step in trace.steps)


def test_a_step_joins_by_one_entry_in_the_list(opened: OpenRelease) -> None:
    def offer(state: State) -> State:
        return replace(state, candidates=(*state.candidates, Candidate("Tell me more.", 0.0, 9)))

    def only_questions_and_offers(state: State) -> State:
        return state.drop(lambda candidate: "exclamation" if candidate.text.endswith("!") else None)

    steps = [*STEPS[:-1], Step("offer", offer), Step("calm", only_questions_and_offers), STEPS[-1]]
    reply = Responder(opened, steps).answer(LONELY)
    usual = Responder(opened).answer(LONELY)
    left = usual.trace.steps[-1].candidates_out
    assert reply.text == "Tell me more."
    told = [(step.name, step.candidates_in, step.candidates_out, dict(step.dropped)) for step in reply.trace.steps]
    assert told[len(STEPS) - 1 :] == [
        ("offer", left, left + 1, {}),
        ("calm", left + 1, 1, {"exclamation": left}),
        ("choose", 1, 1, {}),
    ]
    assert reply.trace.candidates[0].dropped == "echo"  # the first reason stays


def test_a_step_changes_no_state_that_others_see(opened: OpenRelease) -> None:
    seen: list[State] = []

    def see(state: State) -> State:
        seen.append(state)
        return state

    Responder(opened, [*STEPS[:6], Step("see", see), *STEPS[6:]]).answer(LONELY)
    assert [candidate.dropped for candidate in seen[0].candidates] == [None] * 20
    assert seen[0].text is None
    with pytest.raises(AttributeError):
        seen[0].text = "changed"  # type: ignore[misc]


def test_nothing_is_retrieved_before_it_is_encoded(opened: OpenRelease) -> None:
    with pytest.raises(ValueError, match="put encode before it"):
        retrieve(State(opened, LONELY))


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
