"""Care for people in distress, and what is kept from being said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rejoinder.answer.choose import Exploration
from rejoinder.answer.responder import Options, Responder
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.parts.opened import OpenRelease, open_model, open_release
from rejoinder.parts.themes import LAST_RESORT, Theme
from rejoinder.release.manifest import read_manifest
from tests.bundles import build_whole, pin
from tests.guards import CARE, INTENTS, build_guard, build_intents
from tests.remarks import build_remarks

KIND = CARE.kinds[0]
FIRST = [text.format(helpline="You want music.") for text in KIND.first]
NEXT = [text.format(helpline="You want music.") for text in KIND.next]


def release(folder: Path, *, router: float = 0.0, guard: float = 0.0, **facts: Any) -> OpenRelease:
    """A release of today with a guard and a router of these sharpnesses."""
    bundles = build_whole(folder)
    vectorizer, _ = open_model(bundles["model"])
    build_guard(folder / "watching", vectorizer, sharpness=guard, **facts)
    build_intents(folder / "routing", vectorizer, sharpness=router)
    return open_release(pin({**bundles, "guard": folder / "watching", "intents": folder / "routing"}))


@pytest.fixture
def watching(tmp_path: Path) -> OpenRelease:
    return release(tmp_path, guard=30.0)


def answer(opened: OpenRelease, *lines: str) -> Any:
    return Responder(opened).answer(Dialogue.from_lines(lines))


def test_the_lists_answer_without_the_model(watching: OpenRelease) -> None:
    reply = answer(watching, "i REALLY want, hello!")
    assert reply.text in FIRST
    assert (reply.trace.route, reply.trace.sources) == ("guard/harm", ("model",))
    assert {candidate.source for candidate in reply.trace.candidates if candidate.dropped is None} >= {"guard/harm"}
    assert answer(watching, "want hello music").trace.route == "free"


def test_the_classifier_finds_what_no_list_holds(watching: OpenRelease) -> None:
    reply = answer(watching, "i miss rain")
    assert (reply.text in FIRST, reply.trace.route) == (True, "guard/harm")
    assert answer(watching, "you know pizza").trace.route == "free"


def test_care_goes_on_over_the_next_turns_and_ends(watching: OpenRelease) -> None:
    turns = ["i miss rain"]
    said = []
    for following in 3 * ["you know pizza"]:
        said.append(answer(watching, *turns))
        turns += [said[-1].text, following]
    assert said[0].text in FIRST
    assert [reply.text in NEXT for reply in said[1:]] == [True, True]
    assert said[1].text != said[2].text
    assert answer(watching, *turns).trace.route == "free"


def test_said_again_it_is_not_the_first_script_again(watching: OpenRelease) -> None:
    first = answer(watching, "i miss rain").text
    assert answer(watching, "i miss rain", first, "i miss rain").text in NEXT


def test_what_the_bot_says_is_no_distress_of_the_users(watching: OpenRelease) -> None:
    dialogue = Dialogue((Turn("bot", "i miss rain"), Turn("user", "you know pizza")))
    assert Responder(watching).answer(dialogue).trace.route == "free"
    alone = Dialogue((Turn("bot", "i miss rain"),))
    assert Responder(watching).answer(alone).trace.route == "free"


def test_near_sensitive_turns_nothing_from_logs_is_said(tmp_path: Path) -> None:
    opened = release(tmp_path, guard=30.0, min_sensitive=1.0, min_caution=0.3)
    reply = answer(opened, "i miss rain")
    assert reply.trace.route == "free"
    from_logs = [c.dropped for c in reply.trace.candidates if c.source == "replies"]
    assert set(from_logs) <= {"caution", "echo", "paraphrase", "weak"}
    assert "caution" in from_logs


@pytest.mark.parametrize("min_check", [1.0, 0.3])
@pytest.mark.parametrize(("is_gentle", "are_marked"), [(True, True), (False, True), (False, False)])
def test_near_sensitive_turns_only_checks_and_what_is_gentle_are_said(
    tmp_path: Path, is_gentle: bool, are_marked: bool, min_check: float
) -> None:
    bundles = build_whole(tmp_path)
    vectorizer, _ = open_model(bundles["model"])
    themes = (
        Theme("cheerful", ("i miss rain",), ("We love rain!", "You love rain!"), is_gentle),
        Theme(LAST_RESORT, (), ("I want hello.", "They know hello."), are_marked),
    )
    heads = read_manifest(bundles["heads"])
    build_remarks(tmp_path / "remarking", bundles["heads"], heads, vectorizer, themes, min_fit=-2.0)
    least: dict[str, Any] = {"min_sensitive": 1.0, "min_caution": 0.3, "min_check": min_check}
    build_guard(tmp_path / "watching", vectorizer, sharpness=30.0, **least)
    changed = {"remarks": tmp_path / "remarking", "guard": tmp_path / "watching"}
    opened = open_release(pin({**bundles, **changed}))
    options = Options(exploration=Exploration(share=1.0, temperature=100.0), seed=0)
    reply = Responder(opened, options=options).answer(Dialogue.from_lines(["i miss rain"]))
    cheerful = {c.dropped for c in reply.trace.candidates if c.source == "remarks/cheerful"}
    may_be_said = is_gentle or not are_marked
    assert cheerful == ({None} if may_be_said else {"caution"})
    checks = opened.guard.care.kinds[0].check if opened.guard else ()
    assert reply.text in (themes[0].replies if may_be_said and min_check == 1 else checks)
    assert (reply.trace.probability, reply.trace.fallback, reply.trace.route) == (1.0, "", "free")
    assert Responder(opened).answer(Dialogue.from_lines(["you know pizza"])).text in themes[0].replies


def test_what_two_turns_mean_together_is_noticed(tmp_path: Path) -> None:
    opened = release(tmp_path, guard=6.0, min_sensitive=0.9, min_caution=0.89)
    assert opened.guard is not None
    alone = opened.guard.sensitive(opened.encoder.encode(["i miss", "rain"]).vectors, ["i miss", "rain"])
    both = opened.guard.sensitive(opened.encoder.encode(["i miss rain"]).vectors, ["i miss rain"])
    least = float((1 - both[0, 0] + (1 - alone[:, 0]).max()) / 2)
    opened.guard.facts = {**opened.guard.facts, "min_sensitive": least, "min_caution": least}
    assert answer(opened, "i miss", "hello", "rain").trace.route == "guard/harm"
    assert answer(opened, "rain").trace.route == "free"


def test_an_offensive_reply_is_vetoed(tmp_path: Path) -> None:
    opened = release(tmp_path, guard=30.0, min_offensive=0.0)
    reply = answer(opened, "you know pizza")
    from_logs = {c.dropped for c in reply.trace.candidates if c.source == "replies"}
    assert from_logs <= {"offensive", "caution", "echo", "paraphrase", "weak"}
    assert reply.text is not None, "words of last resort are ours"


def test_a_script_that_no_example_is_written_in_is_left_alone(tmp_path: Path) -> None:
    opened = release(tmp_path, guard=1.0, min_sensitive=0.01)
    assert answer(opened, "you know pizza").trace.route == "guard/harm"
    for text in ("Привет, как дела?", "你好吗", "مرحبا"):
        assert answer(opened, text).trace.route == "free"


def test_the_character_answers_for_itself_and_says_nothing_twice(tmp_path: Path) -> None:
    opened = release(tmp_path, router=30.0)
    first = answer(opened, "you know music")
    assert (first.text, first.trace.route) == (INTENTS[0].replies[0], "intents/name")
    second = answer(opened, "you know music", first.text, "you know music")
    assert second.text == INTENTS[0].replies[1]
    third = answer(opened, "you know music", first.text, "you know music", second.text, "you know music")
    assert third.trace.fallback == "nothing_fits"


def test_care_comes_before_the_character(tmp_path: Path) -> None:
    opened = release(tmp_path, router=30.0, guard=30.0)
    assert answer(opened, "you know music want hello").trace.route == "guard/harm"


def test_a_promotion_is_answered_on_its_days_alone(tmp_path: Path) -> None:
    from datetime import date

    opened = release(tmp_path, router=30.0)
    feast = INTENTS[1]
    assert feast.since is not None
    responder, dialogue = Responder(opened), Dialogue.from_lines(["you love pizza"])
    assert responder.answer(dialogue, today=feast.since).text in feast.replies
    assert responder.answer(dialogue, today=date(2026, 12, 27)).trace.route == "free"
