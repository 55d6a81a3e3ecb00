"""Deadlines, exploration, batches, and the one method that suites ask for."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from rejoinder.answer.assistant import Assistant
from rejoinder.answer.choose import Exploration
from rejoinder.answer.responder import STEPS, Options, Responder
from rejoinder.answer.state import State, Step
from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.trust import Trust
from tests.bundles import KEY, build_whole, pin
from tests.guards import INTENTS

PIZZA = Dialogue.from_lines(["you know pizza"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> OpenRelease:
    return open_release(pin(build_whole(tmp_path_factory.mktemp("whole"))), trust=Trust(KEY.parent))


def slow(name: str, seconds: float) -> list[Step]:
    """The steps, one of them slow."""

    def waiting(step: Step) -> Step:
        def wait(state: State) -> State:
            time.sleep(seconds)
            return step.run(state)

        return step._replace(run=wait)

    return [waiting(step) if step.name == name else step for step in STEPS]


def test_what_is_late_is_not_worked_on_any_longer(whole: OpenRelease) -> None:
    ran: list[str] = []
    started = threading.Event()

    def watched(step: Step) -> Step:
        def run(state: State) -> State:
            ran.append(step.name)
            if step.name == "encode":
                started.set()
                time.sleep(0.3)
            return step.run(state)

        return Step(step.name, run, step.is_quick)

    reply = Responder(whole, [watched(step) for step in STEPS], Options(deadline_s=0.1)).answer(PIZZA)
    assert started.is_set()
    assert reply.trace.fallback == "too_late"
    time.sleep(0.6)
    assert "retrieve" not in ran


def test_what_is_late_is_left_out_and_an_answer_comes(whole: OpenRelease) -> None:
    responder = Responder(whole, slow("encode", 5.0), Options(deadline_s=0.05))
    start = time.monotonic()
    reply = responder.answer(PIZZA)
    assert time.monotonic() - start < 4
    assert (reply.text, reply.trace.fallback) == (INTENTS[2].replies[0], "too_late")
    assert reply.trace.steps[0].name == "listen"


def test_what_was_ready_is_said(whole: OpenRelease) -> None:
    reply = Responder(whole, slow("remark", 5.0), Options(deadline_s=1.0)).answer(PIZZA)
    assert reply.text is not None
    assert reply.trace.fallback == ""
    assert "remark" not in [step.name for step in reply.trace.steps]
    assert "veto" in [step.name for step in reply.trace.steps]


def test_distress_that_the_lists_know_is_answered_however_little_time_there_is(whole: OpenRelease) -> None:
    responder = Responder(whole, slow("encode", 5.0), Options(deadline_s=0.001))
    assert responder.answer(Dialogue.from_lines(["want hello"])).trace.route == "guard/harm"


def test_in_time_the_answer_is_that_without_a_deadline(whole: OpenRelease) -> None:
    unhurried = Responder(whole).answer(PIZZA)
    hurried = Responder(whole, options=Options(deadline_s=60.0)).answer(PIZZA)
    assert hurried.text == unhurried.text
    assert [step.name for step in hurried.trace.steps] == [step.name for step in STEPS]


def test_an_error_in_a_step_reaches_whoever_asked(whole: OpenRelease) -> None:
    def fail(state: State) -> State:
        raise ZeroDivisionError

    steps = [*STEPS[:2], Step("fail", fail), *STEPS[2:]]
    with pytest.raises(ZeroDivisionError):
        Responder(whole, steps, Options(deadline_s=60.0)).answer(PIZZA)


def test_without_exploration_the_best_is_certain(whole: OpenRelease) -> None:
    assert {Responder(whole).answer(PIZZA).trace.probability for _ in range(3)} == {1.0}


def test_what_is_drawn_has_the_probability_that_is_told(whole: OpenRelease) -> None:
    exploration = Exploration(share=0.8, top=3, temperature=0.5)
    responder = Responder(whole, options=Options(exploration=exploration, seed=1))
    replies = [responder.answer(PIZZA) for _ in range(400)]
    told = {reply.text: reply.trace.probability for reply in replies}
    assert len(told) == 3
    assert sum(told.values()) == pytest.approx(1)
    counts = Counter(reply.text for reply in replies)
    for text, probability in told.items():
        assert counts[text] / 400 == pytest.approx(probability, abs=0.1)


def test_a_seed_draws_the_same_again(whole: OpenRelease) -> None:
    options = Options(exploration=Exploration(share=1.0), seed=7)
    first, second = (
        [responder.answer(PIZZA).text for _ in range(8)]
        for responder in (Responder(whole, options=options), Responder(whole, options=replace(options)))
    )
    assert first == second


def test_what_is_scripted_is_never_drawn(whole: OpenRelease) -> None:
    responder = Responder(whole, options=Options(exploration=Exploration(share=1.0), seed=7))
    replies = [responder.answer(Dialogue.from_lines(["want hello"])) for _ in range(5)]
    assert {reply.text for reply in replies} == {replies[0].text}
    assert {reply.trace.probability for reply in replies} == {1.0}


def test_many_are_answered_as_one_by_one(whole: OpenRelease) -> None:
    dialogues = [
        Dialogue.from_lines(lines) for lines in (["you know pizza"], ["i love rain", "ok", "we like home"])
    ]
    assert [reply.text for reply in Responder(whole).answer_all(dialogues)] == [
        Responder(whole).answer(dialogue).text for dialogue in dialogues
    ]


def test_a_suite_asks_by_one_method(whole: OpenRelease) -> None:
    assistant = Assistant(whole)
    care = Responder(whole).answer(Dialogue.from_lines(["want hello"])).trace.candidates
    assert assistant.get_response("want\nhello") in {candidate.text for candidate in care}
    assert isinstance(assistant.get_response("you know pizza"), str)
