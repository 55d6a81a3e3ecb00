"""What the model says stands beside what people said, under the same rules, and never costs an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rejoinder.answer.asked import Asked
from rejoinder.answer.filters import drop_paraphrases
from rejoinder.answer.generate import generate
from rejoinder.answer.guard import veto
from rejoinder.answer.rank import drop_weak, rank
from rejoinder.answer.reply import Candidate, Reply
from rejoinder.answer.responder import STEPS, Options, Responder
from rejoinder.answer.retrieve import encode, retrieve
from rejoinder.answer.show import as_dict, print_trace
from rejoinder.answer.state import State
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.parts import GENERATOR, HEADS, RANKER, REMARKS, Kind
from rejoinder.parts.cached import CachedVectorizer
from rejoinder.parts.opened import OpenRelease, open_model, open_release
from rejoinder.release.manifest import read_manifest
from rejoinder.release.trust import Trust
from tests.bundles import KEY, REPLIES, build_bundles, build_whole, pin
from tests.generators import FACTS as TINY_FACTS
from tests.generators import build_generator
from tests.guards import build_guard
from tests.rankers import FACTS, build_ranker
from tests.rejoinder.answer.speakers import SAMPLING, Speaker, speaking
from tests.rejoinder.answer.test_options import slow
from tests.remarks import build_remarks

PIZZA = Dialogue.from_lines(["you know pizza"])
#: A turn that no sharp guard of the tests takes for anything.
CALM = "i like home"
#: What the tiny release holds nothing like.
NEW = ("My cat feel rain, they miss hello.", "We want the weather?")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    made = build_whole(tmp_path_factory.mktemp("whole"))
    return {kind: path for kind, path in made.items() if kind != GENERATOR.bundle}


@pytest.fixture(scope="module")
def whole(bundles: dict[Kind, Path]) -> OpenRelease:
    return open_release(pin(bundles), trust=Trust(KEY.parent))


def with_part(bundles: dict[Kind, Path], folder: Path, build: Callable[..., None], **facts: Any) -> OpenRelease:
    """The release with another guard, other remarks, or another ranker."""
    vectorizer, _ = open_model(bundles["model"])
    if build is build_guard:
        build(folder, vectorizer, **facts)
        kind = "guard"
    elif build is build_ranker:
        build(folder, vectorizer, bundles[HEADS.bundle], **facts)
        kind = RANKER.bundle
    else:
        build(folder, bundles[HEADS.bundle], read_manifest(bundles[HEADS.bundle]), vectorizer, **facts)
        kind = REMARKS.bundle
    return open_release(pin({**bundles, kind: folder}), trust=Trust(KEY.parent))


def answered(release: OpenRelease, speaker: Speaker, dialogue: Dialogue = PIZZA, **options: Any) -> Reply:
    """The reply of a release with a generator."""
    return Responder(speaking(release, speaker), options=Options(**options)).answer(dialogue)


def generated(reply: Reply) -> list[Candidate]:
    return [candidate for candidate in reply.trace.candidates if candidate.source == GENERATOR.name]


def ready(release: OpenRelease, dialogue: Dialogue = PIZZA, asked: Asked | None = None, **more: Any) -> State:
    """The state before the step."""
    return replace(retrieve(encode(State(release, dialogue, asked or Asked()))), **more)


def test_what_the_model_says_joins_what_was_retrieved_by_the_heads_score(whole: OpenRelease) -> None:
    reply = answered(whole, Speaker(NEW))
    free = [candidate for candidate in reply.trace.candidates if candidate.is_free]
    assert [candidate.score for candidate in free] == sorted([c.score for c in free], reverse=True)
    made = {candidate.text: candidate for candidate in generated(reply)}
    assert set(made) == set(NEW)
    assert [(made[t].log_probability, made[t].tokens, made[t].senders) for t in NEW] == [
        (-1.0, 4, None),
        (-2.0, 5, None),
    ]
    heads = whole.heads
    assert heads is not None
    context = heads.context(whole.encoder.encode(PIZZA.texts).vectors, [False])
    scores = heads.replies(whole.encoder.encode(NEW).vectors) @ context
    assert [made[text].score for text in NEW] == pytest.approx(scores.tolist(), abs=1e-5)
    (step,) = (step for step in reply.trace.steps if step.name == "generate")
    assert step.candidates_out == step.candidates_in + 2


def test_words_of_last_resort_come_behind_what_the_model_says(whole: OpenRelease) -> None:
    sources = [candidate.source for candidate in answered(whole, Speaker(NEW)).trace.candidates]
    assert sources[-2:] == ["remarks/last-resort"] * 2
    assert set(sources[:-2]) == {"replies", "generator"}


def test_it_reads_every_turn_in_which_anything_was_said(whole: OpenRelease) -> None:
    turns = (Turn("user", "hi"), Turn("bot", " "), *(Turn("bot", "hello"), Turn("user", "i like rain")) * 3)
    speaker = Speaker(NEW)
    answered(whole, speaker, Dialogue(turns))
    (call,) = speaker.calls
    assert call.turns == ["hi", *["hello", "i like rain"] * 3]
    assert call.own == [False, *[True, False] * 3]


def test_everything_new_is_encoded_in_one_batch(whole: OpenRelease, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[str]] = []
    real = CachedVectorizer.encode

    def noted(self: CachedVectorizer, texts: Sequence[str]) -> Any:
        batches.append(list(texts))
        return real(self, texts)

    monkeypatch.setattr(CachedVectorizer, "encode", noted)
    answered(whole, Speaker((*NEW, NEW[0].upper(), REPLIES[0])))
    assert [batch for batch in batches if NEW[0] in batch] == [list(NEW)]


def test_what_is_there_already_is_a_duplicate_and_nothing_is_empty(whole: OpenRelease) -> None:
    held = ready(whole).candidates[3]
    reply = answered(whole, Speaker((held.text.upper(), NEW[0], f"{NEW[0]} ", " \u200b ", "")))
    made = [(c.text, c.dropped, c.score) for c in generated(reply)]
    fresh = next(c for c in reply.trace.candidates if c.text == NEW[0])
    assert sorted(made) == sorted(
        [
            (held.text.upper(), "duplicate", held.score),
            (NEW[0], None, fresh.score),
            (f"{NEW[0]} ", "duplicate", fresh.score),
            (" \u200b ", "empty", 0.0),
            ("", "empty", 0.0),
        ]
    )
    (step,) = (step for step in reply.trace.steps if step.name == "generate")
    assert (step.candidates_out - step.candidates_in, step.dropped) == (1, {"duplicate": 2, "empty": 2})


def test_a_model_that_says_nothing_changes_nothing(whole: OpenRelease) -> None:
    state = ready(speaking(whole, Speaker()))
    assert generate(state) is state
    assert answered(whole, Speaker()).text == Responder(whole).answer(PIZZA).text


@pytest.mark.parametrize(
    ("when", "below", "option", "is_asked"),
    [
        ("off", 2.0, None, False),
        ("always", -2.0, None, True),
        ("below", 2.0, None, True),
        ("below", -2.0, None, False),
        ("off", 0.0, "always", True),
        ("always", 0.0, "off", False),
        ("off", 2.0, "below", True),
        ("always", -2.0, "below", False),
    ],
)
def test_the_bundle_says_when_it_is_asked_unless_the_responder_does(
    whole: OpenRelease, when: str, below: float, option: str | None, is_asked: bool
) -> None:
    speaker = Speaker(NEW, when, below)
    answered(whole, speaker, generate=option)
    assert bool(speaker.calls) is is_asked


def test_what_is_an_echo_does_not_count_as_a_good_reply(whole: OpenRelease) -> None:
    echo = Dialogue.from_lines([REPLIES[0]])
    best = max(c.score for c in Responder(whole).answer(echo).trace.candidates if c.is_free and c.dropped is None)
    for below, is_asked in ((best + 1e-6, True), (best - 1e-6, False)):
        speaker = Speaker(NEW, "below", below)
        answered(whole, speaker, echo)
        assert bool(speaker.calls) is is_asked
    assert ready(whole, echo).candidates[0].score > best + 1e-6


@pytest.mark.parametrize(
    "mark", [{"route": "guard/harm"}, *({f"is_{m}": True} for m in ("cautious", "wary", "grave"))]
)
def test_it_is_not_asked_where_the_talk_is_not_free(whole: OpenRelease, mark: dict[str, Any]) -> None:
    speaker = Speaker(NEW)
    state = ready(speaking(whole, speaker), **mark)
    assert generate(state) is state
    assert speaker.calls == []


def test_near_distress_the_guard_keeps_it_silent(bundles: dict[Kind, Path], tmp_path: Path) -> None:
    facts: dict[str, Any] = {"sharpness": 30.0, "min_sensitive": 1.0, "min_caution": 0.3}
    watching = with_part(bundles, tmp_path / "watching", build_guard, **facts)
    for text, is_asked in (("i miss rain", False), ("want hello", False), (CALM, True)):
        speaker = Speaker(NEW)
        answered(watching, speaker, Dialogue.from_lines([text]))
        assert bool(speaker.calls) is is_asked


def test_a_theme_that_fits_surely_is_said_without_it(bundles: dict[Kind, Path], tmp_path: Path) -> None:
    remarking = with_part(bundles, tmp_path / "remarking", build_remarks, min_fit=-2.0)
    speaker = Speaker(NEW)
    reply = answered(remarking, speaker)
    assert speaker.calls == []
    said = [candidate.text for candidate in reply.trace.candidates if candidate.source.startswith("remarks/")][:2]
    turns = ["you know pizza", said[0], "you know pizza", said[1], "you know pizza"]
    answered(remarking, speaker, Dialogue.from_lines(turns))
    assert len(speaker.calls) == 1  # the theme has nothing left to say


def test_a_loose_theme_that_gives_way_to_what_ranks_well_lets_it_speak(
    bundles: dict[Kind, Path], tmp_path: Path
) -> None:
    loose = {**bundles, REMARKS.bundle: tmp_path / "remarking"}
    with_part(bundles, tmp_path / "remarking", build_remarks, min_fit=-2.0)
    daring = with_part(loose, tmp_path / "daring", build_ranker, over_themes=-100.0, sure_fit=2.0)
    for turns, is_asked in ((["you know pizza"], False), (["i like rain", "we like", "you know pizza"], True)):
        speaker = Speaker(NEW)
        reply = answered(daring, speaker, Dialogue.from_lines(turns))
        assert bool(speaker.calls) is is_asked
    assert reply.trace.candidates[0].is_free


def test_a_release_without_heads_has_no_use_for_it(tmp_path: Path) -> None:
    older = open_release(pin(build_bundles(tmp_path)))
    speaker = Speaker(NEW)
    assert answered(older, speaker).text is not None
    assert speaker.calls == []


def test_its_echoes_are_judged_as_strictly_as_what_people_said(whole: OpenRelease) -> None:
    echo = "They want pizza, you know!"  # a theme might say so
    (made,) = generated(answered(whole, Speaker([echo])))
    assert made.dropped == "echo"


def test_it_says_nothing_again_and_nothing_that_is_denied(whole: OpenRelease) -> None:
    dialogue = Dialogue.from_lines(["i like rain", NEW[0], "you know pizza"])
    made = generated(answered(whole, Speaker([NEW[0], "They know rain!!"]), dialogue))
    assert {candidate.dropped for candidate in made} == {"repeat", None}
    denied = generated(answered(whole, Speaker(["they know rain!"])))
    assert {candidate.dropped for candidate in denied} <= {"denied", "duplicate"}


def test_a_paraphrase_is_found_by_the_vector_that_was_made(whole: OpenRelease) -> None:
    state = generate(ready(speaking(whole, Speaker(NEW))))
    assert set(state.made) == set(NEW)
    assert state.turns is not None
    state = replace(state, made={**state.made, NEW[1]: state.turns[-1]})
    dropped = {c.text: c.dropped for c in drop_paraphrases(state).candidates if c.is_generated}
    assert dropped == {NEW[0]: None, NEW[1]: "paraphrase"}


def test_the_guard_judges_it_by_that_vector_and_remembers_nothing(
    bundles: dict[Kind, Path], tmp_path: Path
) -> None:
    watching = with_part(bundles, tmp_path / "watching", build_guard, sharpness=30.0)
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


def test_where_caution_is_called_for_it_is_dropped_like_all_that_nobody_wrote(whole: OpenRelease) -> None:
    state = replace(generate(ready(speaking(whole, Speaker(NEW)))), is_cautious=True)
    assert {c.dropped for c in veto(state).candidates if c.is_free} == {"caution"}


@pytest.fixture(scope="module")
def ranking(bundles: dict[Kind, Path], tmp_path_factory: pytest.TempPathFactory) -> OpenRelease:
    return with_part(bundles, tmp_path_factory.mktemp("ranking") / "ranker", build_ranker)


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


def test_what_is_weak_is_weak_whoever_said_it(bundles: dict[Kind, Path], tmp_path: Path) -> None:
    strict = with_part(bundles, tmp_path / "strict", build_remarks, min_score=0.5)
    given = [
        Candidate(text, score, None, source=GENERATOR.name) for text, score in zip(NEW, (0.6, 0.4), strict=True)
    ]
    found = drop_weak(State(strict, PIZZA, candidates=tuple(given))).candidates
    assert [candidate.dropped for candidate in found] == [None, "weak"]


@pytest.mark.parametrize(("asked", "drawn"), [(None, 24), (5, 6), (24, 24), (1000, 24)])
def test_nothing_longer_is_drawn_than_the_caller_takes(whole: OpenRelease, asked: int | None, drawn: int) -> None:
    speaker = Speaker(NEW)
    Responder(speaking(whole, speaker)).answer(PIZZA, asked=Asked(max_tokens=asked))
    assert speaker.calls[0].sampling == replace(SAMPLING, max_tokens=drawn)


def test_words_that_the_caller_does_not_want_leave_it_out_and_cut_nothing(whole: OpenRelease) -> None:
    speaker = Speaker(NEW)
    reply = Responder(speaking(whole, speaker)).answer(PIZZA, asked=Asked(stop=("miss",)))
    assert speaker.calls[0].sampling.stop == ()
    assert {c.text: c.dropped for c in generated(reply)} == {NEW[0]: "stop", NEW[1]: None}


def test_the_seed_is_the_askers_else_the_responders_else_always_the_same(whole: OpenRelease) -> None:
    speaker = Speaker(NEW)
    release = speaking(whole, speaker)
    Responder(release, options=Options(seed=3)).answer(PIZZA, asked=Asked(seed=7))
    Responder(release, options=Options(seed=3)).answer(PIZZA)
    Responder(release).answer(PIZZA)
    Responder(release).answer(PIZZA, asked=Asked(seed=-1))
    assert [call.seed for call in speaker.calls] == [7, 3, 0, (1 << 64) - 1]


def until_told(goes_on: Callable[[], bool]) -> None:
    """Go on until it is time to end."""
    end = time.monotonic() + 30
    while goes_on() and time.monotonic() < end:
        time.sleep(0.005)


def test_what_is_ready_when_time_is_up_is_used(whole: OpenRelease) -> None:
    start = time.monotonic()
    reply = answered(whole, Speaker(NEW, before=until_told), deadline_s=1.0)
    assert 0.5 < time.monotonic() - start < 1.0
    assert len(generated(reply)) == 2
    assert [step.name for step in reply.trace.steps] == [step.name for step in STEPS]


def test_where_a_token_takes_long_the_next_is_not_begun_too_late(whole: OpenRelease) -> None:
    asked = 0

    def slowly(goes_on: Callable[[], bool]) -> None:
        nonlocal asked
        while goes_on():
            asked += 1
            time.sleep(0.35)

    start = time.monotonic()
    reply = answered(whole, Speaker(NEW, before=slowly), deadline_s=1.0)
    assert time.monotonic() - start < 1.0
    assert (asked, len(generated(reply))) == (2, 2)  # a third would end after 1.05 s


@pytest.mark.parametrize("deadline_s", [0.001, 0.3])
def test_with_too_little_time_it_is_not_begun_and_an_answer_comes(whole: OpenRelease, deadline_s: float) -> None:
    speaker = Speaker(NEW, before=until_told)
    reply = answered(whole, speaker, deadline_s=deadline_s)
    assert reply.text is not None
    assert speaker.calls == []


def test_a_model_that_does_not_end_in_time_is_left_out(whole: OpenRelease) -> None:
    reply = answered(whole, Speaker(NEW, before=lambda goes_on: time.sleep(1.5)), deadline_s=0.7)
    assert generated(reply) == []
    assert reply.text == Responder(whole, slow("rank", 0.0)).answer(PIZZA).text


@pytest.mark.parametrize("asked", [{"is_wanted": lambda: False}, {"may_linger": lambda: False}, {"until": 0.0}])
def test_it_is_not_begun_where_nobody_will_wait_for_it(whole: OpenRelease, asked: dict[str, Any]) -> None:
    speaker = Speaker(NEW)
    state = ready(speaking(whole, speaker), asked=Asked(**asked))
    assert generate(state) is state
    assert speaker.calls == []


@pytest.mark.parametrize("deadline_s", [None, 60.0])
def test_an_error_of_the_model_is_not_hidden(whole: OpenRelease, deadline_s: float | None) -> None:
    def fail(goes_on: Callable[[], bool]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answered(whole, Speaker(NEW, before=fail), deadline_s=deadline_s)


def test_the_trace_shows_how_likely_it_was(whole: OpenRelease, capsys: pytest.CaptureFixture[str]) -> None:
    reply = answered(whole, Speaker(NEW))
    shown = {c["text"]: (c["source"], c["log_probability"], c["tokens"]) for c in as_dict(reply, 0.0)["candidates"]}
    assert shown[NEW[1]] == ("generator", -2.0, 5)
    assert {found[1:] for found in shown.values() if found[0] == "replies"} == {(None, None)}
    print_trace(reply, 0.0)
    told = capsys.readouterr().err
    assert "log p" in told
    assert "-2.0" in told
    print_trace(Responder(whole).answer(PIZZA), 0.0)
    assert "log p" not in capsys.readouterr().err


def test_the_vectors_are_those_of_the_texts(whole: OpenRelease) -> None:
    state = generate(ready(speaking(whole, Speaker(NEW))))
    np.testing.assert_allclose(
        np.stack([state.made[text] for text in NEW]), whole.vectorizer.encode(NEW), atol=1e-2
    )


def test_the_tiny_model_of_a_whole_release_speaks_the_same_for_the_same_seed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    opened = open_release(pin(build_whole(tmp_path_factory.mktemp("all"))), trust=Trust(KEY.parent))
    assert generated(Responder(opened).answer(PIZZA)) == []  # its bundle says so
    responder = Responder(opened, options=Options(generate="always"))
    first, again, other = (generated(responder.answer(PIZZA, asked=Asked(seed=seed))) for seed in (1, 1, 2))
    assert first == again != other
    assert all(c.log_probability is not None and c.log_probability < 0 and c.tokens for c in first)
    assert any(candidate.dropped is None for candidate in first)
    hurried = Responder(opened, options=Options(deadline_s=0.001, generate="always")).answer(PIZZA)
    assert hurried.text is not None
    none = Asked(max_tokens=1)
    assert {c.tokens for c in generated(responder.answer(PIZZA, asked=none))} <= {1, 2}


@pytest.mark.parametrize("sampling", [{"n": 0}, {"max_tokens": 0}], ids=["n is 0", "nothing ends"])
def test_a_model_that_finishes_nothing_leaves_the_answer_to_retrieval(
    bundles: dict[Kind, Path], whole: OpenRelease, tmp_path: Path, sampling: dict[str, int]
) -> None:
    facts = {**TINY_FACTS["sampling"], **sampling}
    build_generator(tmp_path / "silent", whole.vectorizer.id, when="always", sampling=facts)
    opened = open_release(pin({**bundles, GENERATOR.bundle: tmp_path / "silent"}), trust=Trust(KEY.parent))
    reply = Responder(opened).answer(PIZZA)
    assert reply.text == Responder(whole).answer(PIZZA).text
    (step,) = (step for step in reply.trace.steps if step.name == "generate")
    assert step.candidates_in == step.candidates_out > 0
