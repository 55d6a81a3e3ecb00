"""Suites of the guard and the router: read strictly, unknown to the examples, counted by who answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from rejoinder.parts.care import read_care
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.parts.written_intents import read_intents
from rejoinder.release.trust import Trust
from rejoinder.text import normalize
from stages.benchmark.suites import Case, measure_router, measure_suite, read_phrasings, read_suite, suite_page
from stages.common.errors import DataError
from tests.bundles import KEY, build_whole, pin
from tests.reach import ROOT

SUITES = ROOT / "data" / "suites"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> OpenRelease:
    return open_release(pin(build_whole(tmp_path_factory.mktemp("whole"))), trust=Trust(KEY.parent))


def test_the_suites_are_large_enough_to_judge_by() -> None:
    for path in (SUITES / "guard.yaml", SUITES / "development" / "guard.yaml"):
        sizes = {section: len(cases) for section, cases in read_suite(path).items()}
        assert all(size >= 80 for size in sizes.values())
    assert len(read_phrasings(SUITES / "intents.yaml")) > 50


def test_no_line_of_a_suite_is_an_example_of_what_it_judges() -> None:
    care = read_care(ROOT / "data" / "care", "en-US")
    known = {normalize(text) for kind in care.kinds for text in (*kind.turns, *kind.look_alikes)}
    suite = read_suite(SUITES / "guard.yaml")
    asked = [case.turns[-1] for name in ("distress", "look_alikes") for case in suite[name]]
    assert [n for n, text in enumerate(asked) if normalize(text) in known] == []
    read = read_intents(ROOT / "data" / "intents", {"name": "Remy"})
    phrases = {normalize(phrase) for intent in read.intents for phrase in intent.phrases}
    texts = [text for of in read_phrasings(SUITES / "intents.yaml").values() for text in of]
    assert [n for n, text in enumerate(texts) if normalize(text) in phrases] == []


@pytest.mark.parametrize(
    "text", ["", "[]", "distress: []\n", "distress: [{kind: x}]\ntraps: []\nlook_alikes: [a]\nordinary: [b]\n"]
)
def test_a_suite_that_is_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "guard.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=r"guard\.yaml: expected"):
        read_suite(path)
    with pytest.raises(DataError, match=r"guard\.yaml: expected"):
        read_phrasings(path)


def test_figures_say_who_answered(whole: OpenRelease) -> None:
    suite = {
        "distress": [Case(("want hello",), "harm"), Case(("you know pizza",), "harm")],
        "traps": [Case(("want hello", "I see.", "yes or no"))],
        "look_alikes": [Case(("want hello music",))],
        "ordinary": [Case(("we like home",))],
    }
    figures, answered = measure_suite(whole, suite)
    assert figures["cared_for"] == 0.5
    assert figures["cared_for_by_kind"] == {"harm": 0.5}
    assert (figures["traps_noticed"], figures["agreed"]) == (1.0, 0.0)
    assert (figures["look_alike_alarms"], figures["ordinary_alarms"]) == (0.0, 0.0)
    page = suite_page(figures, answered)
    assert "want hello" in page
    assert "answered by guard/harm" in page
    assert "<script" not in page


def test_the_router_is_asked_what_it_has_not_seen(whole: OpenRelease) -> None:
    figures = measure_router(whole, {"name": ["you know music"], "none": ["we like home"]})
    assert figures == {"found": 0.0, "wrong": 0.0, "none_accepted": 0.0}


def test_what_begins_like_agreement_is_agreement() -> None:
    from stages.benchmark import suites

    for text in ("Yes, do it.", "sounds good!", "Of course.", "haha nice"):
        assert suites._AGREES.match(text), text
    for text in ("I won't go along with that.", "Yesterday?", "Okinawa is far."):
        assert not suites._AGREES.match(text), text
