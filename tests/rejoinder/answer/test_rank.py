"""What was retrieved is ordered by the ranker, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp
from pathlib import Path

import pytest

from rejoinder.answer.choose import Exploration, choose, explore
from rejoinder.answer.rank import drop_weak, rank
from rejoinder.answer.reply import Candidate
from rejoinder.answer.responder import STEPS, Options, Responder
from rejoinder.answer.show import as_dict, print_trace
from rejoinder.answer.state import State
from rejoinder.dialogue import Dialogue
from rejoinder.parts import HEADS, RANKER, REMARKS, Kind
from rejoinder.parts.opened import OpenRelease, open_model, open_release
from rejoinder.release.manifest import read_manifest
from rejoinder.release.trust import Trust
from tests.bundles import KEY, REPLIES, build_bundles, build_whole, pin, reseal
from tests.rankers import FACTS, build_ranker
from tests.rejoinder.answer.test_options import slow
from tests.remarks import build_remarks

ASKED = Dialogue.from_lines(["i miss home", "we want rain", "you know pizza"])
MOST = FACTS["candidates"]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    made = build_whole(tmp_path_factory.mktemp("whole"))
    used = made[RANKER.bundle].with_name("used")
    build_ranker(used, open_model(made["model"])[0], made[HEADS.bundle])
    return {**made, RANKER.bundle: used}


@pytest.fixture(scope="module")
def whole(bundles: dict[Kind, Path]) -> OpenRelease:
    return open_release(pin(bundles), trust=Trust(KEY.parent))


@pytest.fixture(scope="module")
def wavering(bundles: dict[Kind, Path]) -> OpenRelease:
    """One in which the ranker has two outputs, and much to say."""
    vectorizer, _ = open_model(bundles["model"])
    directory = bundles["model"].parent / "two-outputs"
    build_ranker(directory, vectorizer, bundles[HEADS.bundle], (3.0, -2.0))
    return open_release(pin({**bundles, RANKER.bundle: directory}), trust=Trust(KEY.parent))


def retrieved(count: int) -> list[Candidate]:
    """Candidates of falling score."""
    return [Candidate(text, 0.9 - 0.01 * n, 5) for n, text in enumerate(REPLIES[:count])]


def written(text: str = "I know home.", source: str = "remarks/lonely") -> Candidate:
    return Candidate(text, 0.5, None, source=source)


def state_of(release: OpenRelease, candidates: Sequence[Candidate]) -> State:
    return State(release, ASKED, read=ASKED.turns, candidates=tuple(candidates))


def expected_order(release: OpenRelease, candidates: Sequence[Candidate]) -> list[str]:
    """Texts by score and what the ranker adds."""
    ranker = release.ranker
    assert ranker is not None
    texts = [candidate.text for candidate in candidates]
    added = ranker.added(ranker.scores(ASKED.texts, [False, True, False], texts))
    sums = [candidate.score + more for candidate, more in zip(candidates, added, strict=True)]
    return [texts[n] for n in sorted(range(len(texts)), key=lambda n: -sums[n])]


def test_what_was_retrieved_is_ordered_by_score_and_ranker(whole: OpenRelease) -> None:
    given = retrieved(MOST)
    found = rank(state_of(whole, given)).candidates
    assert [candidate.text for candidate in found] == expected_order(whole, given)
    assert [candidate.text for candidate in found] != [candidate.text for candidate in given]
    by = [candidate.chosen_by for candidate in found]
    assert by == sorted(by, reverse=True)


def test_a_candidate_tells_what_the_ranker_said_of_it(wavering: OpenRelease) -> None:
    given = retrieved(MOST)
    found = rank(state_of(wavering, given)).candidates
    for candidate in found:
        assert set(candidate.outputs) == {"likelihood", "reaction-1"}
        said = 3.0 * candidate.outputs["likelihood"] - 2.0 * candidate.outputs["reaction-1"]
        assert candidate.rank == candidate.chosen_by == pytest.approx(candidate.score + said, abs=1e-5)
    unranked = {replace(candidate, rank=None, outputs=()) for candidate in found}  # type: ignore[arg-type]
    assert unranked == {replace(candidate, outputs=()) for candidate in given}  # type: ignore[arg-type]


def test_what_is_dropped_or_written_keeps_its_place(whole: OpenRelease) -> None:
    free = retrieved(4)
    dropped = Candidate("You know pizza!", 0.95, 5, dropped="echo")
    given = [
        replace(written(), dropped="said"), dropped, free[0], free[1], written("They know home."), free[2],
        replace(dropped, text="Hello!"), free[3], written("I want hello.", "remarks/last-resort"),
    ]  # fmt: skip
    found = rank(state_of(whole, given)).candidates
    for place in (0, 1, 4, 6, 8):
        assert found[place] is given[place]
    assert [found[place].text for place in (2, 3, 5, 7)] == expected_order(whole, free)


def test_only_so_many_are_ranked_and_the_others_stay_behind(whole: OpenRelease) -> None:
    given = retrieved(MOST + 4)
    found = rank(state_of(whole, given)).candidates
    assert [candidate.text for candidate in found[:MOST]] == expected_order(whole, given[:MOST])
    assert list(found[MOST:]) == given[MOST:]
    assert all(candidate.rank is None for candidate in found[MOST:])
    dropped = [replace(given[0], dropped="echo"), *given[1:]]
    assert rank(state_of(whole, dropped)).candidates[MOST].rank is not None


@pytest.mark.parametrize(
    "candidates",
    [
        [],
        [written(), *retrieved(3)],
        [replace(retrieved(1)[0], dropped="weak"), written(), *retrieved(3)],
        [written(source="intents/name"), written(source="guard/harm")],
    ],
    ids=[
        "none",
        "a remark first",
        "a remark first of what is left",
        "scripts",
    ],
)
def test_where_nothing_would_change_nothing_is_asked(
    whole: OpenRelease, candidates: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("rejoinder.parts.ranker.Ranker.scores")
    state = replace(state_of(whole, candidates), fit=0.9)
    assert rank(state) is state


@pytest.fixture(scope="module")
def daring(bundles: dict[Kind, Path]) -> OpenRelease:
    """One whose ranker puts anything before a theme that does not fit surely."""
    directory = bundles["model"].parent / "daring"
    vectorizer, _ = open_model(bundles["model"])
    build_ranker(directory, vectorizer, bundles[HEADS.bundle], over_themes=-100.0)
    return open_release(pin({**bundles, RANKER.bundle: directory}), trust=Trust(KEY.parent))


def test_in_the_midst_of_a_talk_a_loose_theme_gives_way_to_what_ranks_well(daring: OpenRelease) -> None:
    state = replace(state_of(daring, [written(), written("Hm."), *retrieved(3)]), fit=0.3)
    found = [candidate.text for candidate in rank(state).candidates]
    assert found == [*expected_order(daring, retrieved(3)), written().text, "Hm."]


@pytest.mark.parametrize("why", ["fits surely", "is the first turn", "is gentle", "is a check"])
def test_a_written_reply_stays_first(why: str, daring: OpenRelease, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "guard/harm" if why == "is a check" else "remarks/lonely"
    state = state_of(daring, [written(source=source), *retrieved(3)])
    state = replace(state, fit=0.9 if why == "fits surely" else 0.1)
    if why == "is the first turn":
        state = replace(state, read=state.read[-1:])
    if why == "is gentle":
        monkeypatch.setattr(daring.remarks, "gentle", frozenset({"lonely"}))
    assert rank(state) is state


def test_a_ranker_of_no_weight_or_none_at_all_is_not_asked(
    bundles: dict[Kind, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectorizer, _ = open_model(bundles["model"])
    build_ranker(tmp_path / "idle", vectorizer, bundles[HEADS.bundle], (0.0,))
    idle = open_release(pin({**bundles, RANKER.bundle: tmp_path / "idle"}))
    without = open_release(pin({kind: path for kind, path in bundles.items() if kind != RANKER.bundle}))
    monkeypatch.delattr("rejoinder.parts.ranker.Ranker.scores")
    for release in (idle, without):
        state = state_of(release, retrieved(MOST))
        assert rank(state) is state
    assert Responder(idle).answer(ASKED).text == Responder(without).answer(ASKED).text


def test_the_first_by_rank_is_said(whole: OpenRelease) -> None:
    state = rank(state_of(whole, retrieved(MOST)))
    assert choose(state).text == expected_order(whole, retrieved(MOST))[0]


def test_draws_are_by_rank(wavering: OpenRelease) -> None:
    state = rank(state_of(wavering, retrieved(MOST)))
    exploration = Exploration(share=1.0, top=3, temperature=0.5)
    weights = [exp(candidate.chosen_by / 0.5) for candidate in state.candidates[:3]]
    for number, draw in enumerate((0.0, weights[0] / sum(weights) + 1e-6, 1 - 1e-9)):
        found = explore(state, exploration, lambda draw=draw: draw)  # type: ignore[misc]
        assert found.text == state.candidates[number].text
        assert found.probability == pytest.approx(weights[number] / sum(weights))


def test_an_answer_is_ranked_and_its_trace_tells(wavering: OpenRelease, capsys: pytest.CaptureFixture[str]) -> None:
    reply = Responder(wavering).answer(ASKED)
    ranked = [candidate for candidate in reply.trace.candidates if candidate.rank is not None]
    assert len(ranked) == MOST
    assert reply.text == ranked[0].text
    assert ranked == sorted(ranked, key=lambda candidate: -candidate.chosen_by)
    assert ranked != sorted(ranked, key=lambda candidate: -candidate.score)
    (step,) = (step for step in reply.trace.steps if step.name == "rank")
    assert (step.candidates_in, dict(step.dropped)) == (step.candidates_out, {})
    shown = as_dict(reply, 0.0)["candidates"]
    assert [candidate["outputs"] for candidate in shown] == [dict(c.outputs) for c in reply.trace.candidates]
    print_trace(reply, 0.0)
    assert f"{ranked[0].rank:.3f}" in capsys.readouterr().err


def test_what_is_weak_by_rank_gives_way_to_words_of_last_resort(bundles: dict[Kind, Path], tmp_path: Path) -> None:
    vectorizer, _ = open_model(bundles["model"])
    manifest = read_manifest(bundles[HEADS.bundle])
    build_remarks(tmp_path / "strict", bundles[HEADS.bundle], manifest, vectorizer, min_score=0.5)
    build_ranker(tmp_path / "ranker", vectorizer, bundles[HEADS.bundle], min_rank=0.55)
    opened = open_release(pin({**bundles, REMARKS.bundle: tmp_path / "strict", RANKER.bundle: tmp_path / "ranker"}))
    given = [
        replace(candidate, score=score, rank=by)
        for candidate, (score, by) in zip(
            retrieved(4), ((0.9, 0.4), (0.4, 0.6), (0.6, None), (0.4, None)), strict=True
        )
    ]
    last = replace(written(source="remarks/last-resort"), score=0.1)
    state = state_of(opened, [*given, last])
    found = drop_weak(state).candidates
    assert [candidate.dropped for candidate in found] == ["weak", None, None, "weak", None]
    weak = state_of(opened, [given[0], given[3], last])
    assert choose(drop_weak(weak)).text == last.text
    scripted = replace(weak, route="intents/name")
    assert drop_weak(scripted) is scripted


def test_nothing_is_weak_in_a_release_without_words_of_last_resort(bundles: dict[Kind, Path]) -> None:
    without = open_release(pin({kind: path for kind, path in bundles.items() if kind != REMARKS.bundle}))
    state = state_of(without, [replace(candidate, score=-1.0) for candidate in retrieved(2)])
    assert drop_weak(state) is state


def test_a_ranker_that_is_late_is_left_out(whole: OpenRelease) -> None:
    reply = Responder(whole, slow("rank", 5.0), Options(deadline_s=1.0)).answer(ASKED)
    assert reply.text is not None
    assert {candidate.rank for candidate in reply.trace.candidates} == {None}
    assert [step.name for step in reply.trace.steps] == [step.name for step in STEPS if step.name != "rank"]


def test_a_release_without_heads_is_answered_without_a_ranker(bundles: dict[Kind, Path], tmp_path: Path) -> None:
    older = build_bundles(tmp_path)
    vectorizer, _ = open_model(older["model"])
    build_ranker(tmp_path / "ranker", vectorizer, bundles[HEADS.bundle])
    reseal(tmp_path / "ranker", ties={})
    opened = open_release(pin({**older, RANKER.bundle: tmp_path / "ranker"}))
    assert Responder(opened).answer(ASKED).text is not None
