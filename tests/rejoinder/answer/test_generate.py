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
from rejoinder.answer.generate import generate
from rejoinder.answer.responder import STEPS, Options, Responder
from rejoinder.answer.show import as_dict, print_trace
from rejoinder.dialogue import Dialogue, Turn
from rejoinder.parts import GENERATOR, REMARKS, Kind
from rejoinder.parts.cached import CachedVectorizer
from rejoinder.parts.opened import OpenRelease, open_release
from rejoinder.release.trust import Trust
from tests.bundles import KEY, REPLIES, build_bundles, build_whole, pin
from tests.generators import FACTS as TINY_FACTS
from tests.generators import build_generator
from tests.guards import build_guard
from tests.rankers import build_ranker
from tests.rejoinder.answer.mute import CALM, NEW, PIZZA, answered, generated, ready, with_part
from tests.rejoinder.answer.speakers import SAMPLING, Speaker, speaking
from tests.rejoinder.answer.test_options import slow
from tests.remarks import build_remarks


def test_what_the_model_says_joins_what_was_retrieved_by_the_heads_score(mute: OpenRelease) -> None:
    reply = answered(mute, Speaker(NEW))
    free = [candidate for candidate in reply.trace.candidates if candidate.is_free]
    assert [candidate.score for candidate in free] == sorted([c.score for c in free], reverse=True)
    made = {candidate.text: candidate for candidate in generated(reply)}
    assert set(made) == set(NEW)
    assert [(made[t].log_probability, made[t].tokens, made[t].senders) for t in NEW] == [
        (-1.0, 4, None),
        (-2.0, 5, None),
    ]
    heads = mute.heads
    assert heads is not None
    context = heads.context(mute.encoder.encode(PIZZA.texts).vectors, [False])
    scores = heads.replies(mute.encoder.encode(NEW).vectors) @ context
    assert [made[text].score for text in NEW] == pytest.approx(scores.tolist(), abs=1e-5)
    (step,) = (step for step in reply.trace.steps if step.name == "generate")
    assert step.candidates_out == step.candidates_in + 2


def test_words_of_last_resort_come_behind_what_the_model_says(mute: OpenRelease) -> None:
    sources = [candidate.source for candidate in answered(mute, Speaker(NEW)).trace.candidates]
    assert sources[-2:] == ["remarks/last-resort"] * 2
    assert set(sources[:-2]) == {"replies", "generator"}


def test_it_reads_every_turn_in_which_anything_was_said(mute: OpenRelease) -> None:
    turns = (Turn("user", "hi"), Turn("bot", " "), *(Turn("bot", "hello"), Turn("user", "i like rain")) * 3)
    speaker = Speaker(NEW)
    answered(mute, speaker, Dialogue(turns))
    (call,) = speaker.calls
    assert call.turns == ["hi", *["hello", "i like rain"] * 3]
    assert call.own == [False, *[True, False] * 3]


def test_everything_new_is_encoded_in_one_batch(mute: OpenRelease, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[str]] = []
    real = CachedVectorizer.encode

    def noted(self: CachedVectorizer, texts: Sequence[str]) -> Any:
        batches.append(list(texts))
        return real(self, texts)

    monkeypatch.setattr(CachedVectorizer, "encode", noted)
    answered(mute, Speaker((*NEW, NEW[0].upper(), REPLIES[0])))
    assert [batch for batch in batches if NEW[0] in batch] == [list(NEW)]


def test_what_is_there_already_is_a_duplicate_and_nothing_is_empty(mute: OpenRelease) -> None:
    held = ready(mute).candidates[3]
    reply = answered(mute, Speaker((held.text.upper(), NEW[0], f"{NEW[0]} ", " \u200b ", "")))
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


def test_a_model_that_says_nothing_changes_nothing(mute: OpenRelease) -> None:
    state = ready(speaking(mute, Speaker()))
    assert generate(state) is state
    assert answered(mute, Speaker()).text == Responder(mute).answer(PIZZA).text


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
    mute: OpenRelease, when: str, below: float, option: str | None, is_asked: bool
) -> None:
    speaker = Speaker(NEW, when, below)
    answered(mute, speaker, generate=option)
    assert bool(speaker.calls) is is_asked


def test_what_is_an_echo_does_not_count_as_a_good_reply(mute: OpenRelease) -> None:
    echo = Dialogue.from_lines([REPLIES[0]])
    best = max(c.score for c in Responder(mute).answer(echo).trace.candidates if c.is_free and c.dropped is None)
    for below, is_asked in ((best + 1e-6, True), (best - 1e-6, False)):
        speaker = Speaker(NEW, "below", below)
        answered(mute, speaker, echo)
        assert bool(speaker.calls) is is_asked
    assert ready(mute, echo).candidates[0].score > best + 1e-6


@pytest.mark.parametrize(
    "mark", [{"route": "guard/harm"}, *({f"is_{m}": True} for m in ("cautious", "wary", "grave"))]
)
def test_it_is_not_asked_where_the_talk_is_not_free(mute: OpenRelease, mark: dict[str, Any]) -> None:
    speaker = Speaker(NEW)
    state = ready(speaking(mute, speaker), **mark)
    assert generate(state) is state
    assert speaker.calls == []


def test_near_distress_the_guard_keeps_it_silent(mute_bundles: dict[Kind, Path], tmp_path: Path) -> None:
    facts: dict[str, Any] = {"sharpness": 30.0, "min_sensitive": 1.0, "min_caution": 0.3}
    watching = with_part(mute_bundles, tmp_path / "watching", build_guard, **facts)
    for text, is_asked in (("i miss rain", False), ("want hello", False), (CALM, True)):
        speaker = Speaker(NEW)
        answered(watching, speaker, Dialogue.from_lines([text]))
        assert bool(speaker.calls) is is_asked


def test_a_theme_that_fits_surely_is_said_without_it(mute_bundles: dict[Kind, Path], tmp_path: Path) -> None:
    remarking = with_part(mute_bundles, tmp_path / "remarking", build_remarks, min_fit=-2.0)
    speaker = Speaker(NEW)
    reply = answered(remarking, speaker)
    assert speaker.calls == []
    said = [candidate.text for candidate in reply.trace.candidates if candidate.source.startswith("remarks/")][:2]
    turns = ["you know pizza", said[0], "you know pizza", said[1], "you know pizza"]
    answered(remarking, speaker, Dialogue.from_lines(turns))
    assert len(speaker.calls) == 1  # the theme has nothing left to say


def test_a_loose_theme_that_gives_way_to_what_ranks_well_lets_it_speak(
    mute_bundles: dict[Kind, Path], tmp_path: Path
) -> None:
    loose = {**mute_bundles, REMARKS.bundle: tmp_path / "remarking"}
    with_part(mute_bundles, tmp_path / "remarking", build_remarks, min_fit=-2.0)
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


@pytest.mark.parametrize(("asked", "drawn"), [(None, 24), (5, 6), (24, 24), (1000, 24)])
def test_nothing_longer_is_drawn_than_the_caller_takes(mute: OpenRelease, asked: int | None, drawn: int) -> None:
    speaker = Speaker(NEW)
    Responder(speaking(mute, speaker)).answer(PIZZA, asked=Asked(max_tokens=asked))
    assert speaker.calls[0].sampling == replace(SAMPLING, max_tokens=drawn)


def test_words_that_the_caller_does_not_want_leave_it_out_and_cut_nothing(mute: OpenRelease) -> None:
    speaker = Speaker(NEW)
    reply = Responder(speaking(mute, speaker)).answer(PIZZA, asked=Asked(stop=("miss",)))
    assert speaker.calls[0].sampling.stop == ()
    assert {c.text: c.dropped for c in generated(reply)} == {NEW[0]: "stop", NEW[1]: None}


def test_the_seed_is_the_askers_else_the_responders_else_always_the_same(mute: OpenRelease) -> None:
    speaker = Speaker(NEW)
    release = speaking(mute, speaker)
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


def test_what_is_ready_when_time_is_up_is_used(mute: OpenRelease) -> None:
    start = time.monotonic()
    reply = answered(mute, Speaker(NEW, before=until_told), deadline_s=1.0)
    assert 0.5 < time.monotonic() - start < 1.0
    assert len(generated(reply)) == 2
    assert [step.name for step in reply.trace.steps] == [step.name for step in STEPS]


def test_where_a_token_takes_long_the_next_is_not_begun_too_late(mute: OpenRelease) -> None:
    asked = 0

    def slowly(goes_on: Callable[[], bool]) -> None:
        nonlocal asked
        while goes_on():
            asked += 1
            time.sleep(0.35)

    start = time.monotonic()
    reply = answered(mute, Speaker(NEW, before=slowly), deadline_s=1.0)
    assert time.monotonic() - start < 1.0
    assert (asked, len(generated(reply))) == (2, 2)  # a third would end after 1.05 s


@pytest.mark.parametrize("deadline_s", [0.001, 0.3])
def test_with_too_little_time_it_is_not_begun_and_an_answer_comes(mute: OpenRelease, deadline_s: float) -> None:
    speaker = Speaker(NEW, before=until_told)
    reply = answered(mute, speaker, deadline_s=deadline_s)
    assert reply.text is not None
    assert speaker.calls == []


def test_a_model_that_does_not_end_in_time_is_left_out(mute: OpenRelease) -> None:
    reply = answered(mute, Speaker(NEW, before=lambda goes_on: time.sleep(1.5)), deadline_s=0.7)
    assert generated(reply) == []
    assert reply.text == Responder(mute, slow("rank", 0.0)).answer(PIZZA).text


@pytest.mark.parametrize("asked", [{"is_wanted": lambda: False}, {"may_linger": lambda: False}, {"until": 0.0}])
def test_it_is_not_begun_where_nobody_will_wait_for_it(mute: OpenRelease, asked: dict[str, Any]) -> None:
    speaker = Speaker(NEW)
    state = ready(speaking(mute, speaker), asked=Asked(**asked))
    assert generate(state) is state
    assert speaker.calls == []


@pytest.mark.parametrize("deadline_s", [None, 60.0])
def test_an_error_of_the_model_is_not_hidden(mute: OpenRelease, deadline_s: float | None) -> None:
    def fail(goes_on: Callable[[], bool]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answered(mute, Speaker(NEW, before=fail), deadline_s=deadline_s)


def test_the_trace_shows_how_likely_it_was(mute: OpenRelease, capsys: pytest.CaptureFixture[str]) -> None:
    reply = answered(mute, Speaker(NEW))
    shown = {c["text"]: (c["source"], c["log_probability"], c["tokens"]) for c in as_dict(reply, 0.0)["candidates"]}
    assert shown[NEW[1]] == ("generator", -2.0, 5)
    assert {found[1:] for found in shown.values() if found[0] == "replies"} == {(None, None)}
    print_trace(reply, 0.0)
    told = capsys.readouterr().err
    assert "log p" in told
    assert "-2.0" in told
    print_trace(Responder(mute).answer(PIZZA), 0.0)
    assert "log p" not in capsys.readouterr().err


def test_the_vectors_are_those_of_the_texts(mute: OpenRelease) -> None:
    state = generate(ready(speaking(mute, Speaker(NEW))))
    np.testing.assert_allclose(np.stack([state.made[text] for text in NEW]), mute.vectorizer.encode(NEW), atol=1e-2)


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
    mute_bundles: dict[Kind, Path], mute: OpenRelease, tmp_path: Path, sampling: dict[str, int]
) -> None:
    facts = {**TINY_FACTS["sampling"], **sampling}
    build_generator(tmp_path / "silent", mute.vectorizer.id, when="always", sampling=facts)
    opened = open_release(pin({**mute_bundles, GENERATOR.bundle: tmp_path / "silent"}), trust=Trust(KEY.parent))
    reply = Responder(opened).answer(PIZZA)
    assert reply.text == Responder(mute).answer(PIZZA).text
    (step,) = (step for step in reply.trace.steps if step.name == "generate")
    assert step.candidates_in == step.candidates_out > 0
