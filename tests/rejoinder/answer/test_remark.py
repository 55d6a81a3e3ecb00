"""Prepared remarks in an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rejoinder.answer.responder import STEPS, Responder
from rejoinder.answer.state import State
from rejoinder.dialogue import Dialogue
from rejoinder.parts.opened import OpenRelease, open_model, open_release
from rejoinder.parts.themes import LAST_RESORT, Theme
from rejoinder.release.manifest import read_manifest
from tests.bundles import build_whole, pin
from tests.remarks import THEMES, build_remarks


def release(tmp_path: Path, **facts: Any) -> OpenRelease:
    """A release of today with remarks of these thresholds."""
    bundles = build_whole(tmp_path)
    vectorizer, _ = open_model(bundles["model"])
    remarks = tmp_path / "other-remarks"
    build_remarks(remarks, bundles["heads"], read_manifest(bundles["heads"]), vectorizer, **facts)
    return open_release(pin({**bundles, "remarks": remarks}))


@pytest.fixture
def fitting(tmp_path: Path) -> OpenRelease:
    return release(tmp_path, min_fit=1.42)


def test_a_turn_like_an_example_is_answered_from_its_theme(fitting: OpenRelease) -> None:
    reply = Responder(fitting).answer(Dialogue.from_lines(["we FEEL lonely"]))
    assert reply.text in THEMES[0].replies
    first = reply.trace.candidates[0]
    assert (first.text, first.source, first.senders) == (reply.text, "remarks/lonely", None)


def test_the_heads_choose_among_the_replies_of_a_theme(fitting: OpenRelease) -> None:
    trace = Responder(fitting).answer(Dialogue.from_lines(["i love rain"])).trace
    written = [c for c in trace.candidates if c.source == "remarks/rain"]
    assert {c.text for c in written} == set(THEMES[1].replies)
    assert written[0].score >= written[1].score


def test_a_remark_is_not_said_twice(fitting: OpenRelease) -> None:
    responder, turns = Responder(fitting), ["i love rain"]
    said = []
    for _ in THEMES[1].replies:
        said.append(responder.answer(Dialogue.from_lines(turns)).text)
        turns += [str(said[-1]), "i love rain"]
    assert set(said) == set(THEMES[1].replies)


def test_any_other_turn_is_answered_from_the_base(fitting: OpenRelease) -> None:
    reply = Responder(fitting).answer(Dialogue.from_lines(["you know pizza"]))
    chosen = next(c for c in reply.trace.candidates if c.dropped is None)
    assert chosen.source == "replies"
    assert chosen.text == reply.text


def test_where_nothing_is_near_words_of_last_resort_are_said(tmp_path: Path) -> None:
    opened = release(tmp_path, min_score=1.9)
    reply = Responder(opened).answer(Dialogue.from_lines(["you know pizza"]))
    assert reply.text in THEMES[2].replies
    assert {c.dropped for c in reply.trace.candidates if c.source == "replies"} <= {"weak", "echo"}
    assert reply.trace.candidates[-1].source == f"remarks/{LAST_RESORT}"


def test_what_the_bot_has_said_from_remarks_needs_no_model(fitting: OpenRelease) -> None:
    reply = Responder(fitting).answer(Dialogue.from_lines(["i love rain", THEMES[1].replies[0], "hi"]))
    assert reply.trace.sources[1] == "cold"


def test_a_release_without_remarks_answers_as_before(opened: OpenRelease) -> None:
    assert opened.remarks is None
    assert Responder(opened).answer(Dialogue.from_lines(["i love rain"])).text


RESORTS = (
    *THEMES,
    Theme("last-resort-food-negative", (), ("They miss pizza.", "You miss pizza.")),
    Theme("last-resort-food-neutral", (), ("They know pizza.", "You know pizza.")),
    Theme("last-resort-question", (), ("Who knows?", "I know no weather.")),
)


@pytest.mark.parametrize(
    ("turn", "topic", "mood", "theme"),
    [
        ("we know home", ("food", 0.9), ("negative", 0.8), "last-resort-food-negative"),
        ("we know home", ("food", 0.9), ("negative", 0.4), "last-resort-food-neutral"),
        ("we know home?", ("food", 0.9), ("positive", 0.8), "last-resort-question"),
        ("we know home?", ("food", 0.9), ("negative", 0.8), "last-resort-food-negative"),
        ("we know home", ("food", 0.4), ("negative", 0.8), LAST_RESORT),
        ("we know home", ("music", 0.9), ("negative", 0.8), LAST_RESORT),
    ],
)
def test_where_nothing_fits_topic_and_mood_decide(
    tmp_path: Path, turn: str, topic: tuple[str, float], mood: tuple[str, float], theme: str
) -> None:
    opened = release(tmp_path, themes=RESORTS, min_fit=2.0, min_score=1.0)

    def annotate(state: State) -> State:
        return replace(state, annotations={"topic": topic, "sentiment": mood})

    steps = [step._replace(run=annotate) if step.name == "annotate" else step for step in STEPS]
    reply = Responder(opened, steps).answer(Dialogue.from_lines([turn]))
    said = next(c for c in reply.trace.candidates if c.dropped is None and c.text == reply.text)
    assert said.source == f"remarks/{theme}"
    assert reply.trace.fallback == "nothing_fits"
