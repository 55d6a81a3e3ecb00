"""What the model says is judged as what people say is: by filters, guard, ranker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rejoinder.answer.filters import drop_paraphrases
from rejoinder.answer.generate import generate
from rejoinder.answer.guard import veto
from rejoinder.answer.rank import drop_weak, rank
from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State
from rejoinder.dialogue import Dialogue
from rejoinder.parts import GENERATOR, Kind
from rejoinder.parts.opened import OpenRelease
from tests.bundles import REPLIES
from tests.guards import build_guard
from tests.rankers import FACTS, build_ranker
from tests.rejoinder.answer.mute import CALM, NEW, PIZZA, answered, generated, ready, with_part
from tests.rejoinder.answer.speakers import Speaker, speaking
from tests.remarks import build_remarks


def test_its_echoes_are_judged_as_strictly_as_what_people_said(mute: OpenRelease) -> None:
    echo = "They want pizza, you know!"  # a theme might say so
    (made,) = generated(answered(mute, Speaker([echo])))
    assert made.dropped == "echo"


def test_it_says_nothing_again_and_nothing_that_is_denied(mute: OpenRelease) -> None:
    dialogue = Dialogue.from_lines(["i like rain", NEW[0], "you know pizza"])
    made = generated(answered(mute, Speaker([NEW[0], "They know rain!!"]), dialogue))
    assert {candidate.dropped for candidate in made} == {"repeat", None}
    denied = generated(answered(mute, Speaker(["they know rain!"])))
    assert {candidate.dropped for candidate in denied} <= {"denied", "duplicate"}


def test_a_paraphrase_is_found_by_the_vector_that_was_made(mute: OpenRelease) -> None:
    state = generate(ready(speaking(mute, Speaker(NEW))))
    assert set(state.made) == set(NEW)
    assert state.turns is not None
    state = replace(state, made={**state.made, NEW[1]: state.turns[-1]})
    dropped = {c.text: c.dropped for c in drop_paraphrases(state).candidates if c.is_generated}
    assert dropped == {NEW[0]: None, NEW[1]: "paraphrase"}


def test_the_guard_judges_it_by_that_vector_and_remembers_nothing(
    mute_bundles: dict[Kind, Path], tmp_path: Path
) -> None:
    watching = with_part(mute_bundles, tmp_path / "watching", build_guard, sharpness=30.0)
    guard = watching.guard
    assert guard is not None
    state = replace(generate(ready(speaking(watching, Speaker(NEW)))), turns=None)
    vectors = watching.encoder.encode(["you want rain"]).vectors
    state = replace(state, made={**state.made, NEW[0]: vectors[0]})
    dropped = {c.text: c.dropped for c in veto(state).candidates if c.is_generated}
    assert dropped == {NEW[0]: "offensive", NEW[1]: None}
    assert guard._judged
    assert not set(NEW) & set(guard._judged)
    told = generated(answered(watching, Speaker(["They love pizza music."]), Dialogue.from_lines([CALM])))
    assert [candidate.dropped for candidate in told] == ["offensive"]


def test_where_caution_is_called_for_it_is_dropped_like_all_that_nobody_wrote(mute: OpenRelease) -> None:
    state = replace(generate(ready(speaking(mute, Speaker(NEW)))), is_cautious=True)
    assert {c.dropped for c in veto(state).candidates if c.is_free} == {"caution"}


@pytest.fixture(scope="module")
def ranking(mute_bundles: dict[Kind, Path], tmp_path_factory: pytest.TempPathFactory) -> OpenRelease:
    return with_part(mute_bundles, tmp_path_factory.mktemp("ranking") / "ranker", build_ranker)


def candidates(people: int, model: int, *, best: str) -> list[Candidate]:
    """Free candidates by falling score, the best of one source first."""
    said = [Candidate(text, 0, 5) for text in REPLIES[:people]]
    made = [Candidate(text, 0, None, source=GENERATOR.name) for text in REPLIES[40 : 40 + model]]
    ordered = [*said, *made] if best == "people" else [*made, *said]
    return [replace(candidate, score=0.9 - 0.01 * n) for n, candidate in enumerate(ordered)]


@pytest.mark.parametrize(
    ("people", "model", "best", "expected"),
    [
        (9, 9, "people", {"replies": 3, "generator": 2}),
        (9, 1, "people", {"replies": 4, "generator": 1}),
        (9, 9, "model", {"generator": 5}),
        (1, 9, "people", {"replies": 1, "generator": 4}),
        (2, 1, "people", {"replies": 2, "generator": 1}),
    ],
)
def test_a_third_of_what_is_ranked_is_kept_for_what_the_model_said(
    ranking: OpenRelease, people: int, model: int, best: str, expected: dict[str, int]
) -> None:
    assert FACTS["candidates"] == 5
    given = candidates(people, model, best=best)
    found = rank(State(ranking, PIZZA, read=PIZZA.turns, candidates=tuple(given))).candidates
    ranked = [candidate for candidate in found if candidate.rank is not None]
    assert list(found[: len(ranked)]) == ranked == sorted(ranked, key=lambda candidate: -candidate.chosen_by)
    sources = [candidate.source for candidate in ranked]
    assert {source: sources.count(source) for source in set(sources)} == expected
    rest = [candidate for candidate in given if candidate.text not in {c.text for c in ranked}]
    assert list(found[len(ranked) :]) == rest


def test_what_is_weak_is_weak_whoever_said_it(mute_bundles: dict[Kind, Path], tmp_path: Path) -> None:
    strict = with_part(mute_bundles, tmp_path / "strict", build_remarks, min_score=0.5)
    given = [
        Candidate(text, score, None, source=GENERATOR.name) for text, score in zip(NEW, (0.6, 0.4), strict=True)
    ]
    found = drop_weak(State(strict, PIZZA, candidates=tuple(given))).candidates
    assert [candidate.dropped for candidate in found] == [None, "weak"]
