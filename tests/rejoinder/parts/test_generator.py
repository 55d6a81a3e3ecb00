"""Generator: what it draws is finished, public and as likely as it says; a wrong bundle is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rejoinder.errors import BundleError, ConsistencyError, ProbeError, Problem
from rejoinder.parts import GENERATOR
from rejoinder.parts.generator import Generator, open_generator, open_part, probe
from rejoinder.parts.generator_facts import CHOICES, SPANS, fact_problems, graph_file
from rejoinder.parts.opened import open_release, prove_the_rest
from rejoinder.parts.opening import Opening
from rejoinder.parts.public_spans import keys_of
from rejoinder.release.manifest import Manifest, read_manifest
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.release.trust import Trust
from rejoinder.release.vectorizer_spec import VectorizerId
from tests.bundles import KEY, build_whole, pin, reseal
from tests.generators import FACTS, FORM, SPOKEN, build_generator, write_graph, write_tokenizer

ID = VectorizerId("sha256:" + "0" * 64)
TURNS, OWN = ["i like pizza", "you love rain", "hello"], [False, True, False]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("generator") / "generator"
    build_generator(directory, ID)
    return directory


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "generator"))


def opened(bundle: Path) -> Generator:
    return open_generator(bundle, read_manifest(bundle))


def with_facts(bundle: Path, **changes: Any) -> Manifest:
    manifest = read_manifest(bundle)
    return replace(manifest, facts={**manifest.facts, **changes})


def test_replies_are_finished_and_each_is_said_once(bundle: Path) -> None:
    generator = opened(bundle)
    replies = [reply for seed in range(30) for reply in generator.generate(TURNS, OWN, seed=seed)]
    assert len(replies) > 30
    assert all(reply.text and set(reply.text.split()) <= set(SPOKEN) for reply in replies)
    assert all(1 < reply.tokens <= FACTS["sampling"]["max_tokens"] for reply in replies)
    for seed in range(30):
        texts = [reply.text for reply in generator.generate(TURNS, OWN, seed=seed)]
        assert len(texts) == len(set(texts))


def test_a_reply_is_as_likely_as_reading_it_says(bundle: Path) -> None:
    generator = opened(bundle)
    replies = generator.generate(TURNS, OWN, seed=1, sampling=replace(generator.sampling, n=64), is_public=False)
    sums, lengths = generator.log_probabilities(TURNS, OWN, [reply.text for reply in replies])
    assert len(replies) > 16
    assert sums == pytest.approx([reply.log_probability for reply in replies], abs=1e-3)
    assert lengths.tolist() == [reply.tokens for reply in replies]


def test_the_likelihood_of_a_reply_does_not_depend_on_its_neighbours(bundle: Path) -> None:
    generator = opened(bundle)
    texts = ["hello", "i love you so so", "pizza", "we miss home too"]
    together, _ = generator.log_probabilities(TURNS, OWN, texts)
    alone = [float(generator.log_probabilities(TURNS, OWN, [text])[0][0]) for text in texts]
    assert together == pytest.approx(alone, abs=1e-4)


def test_every_reply_that_can_be_said_is_some_of_what_could_come(tmp_path: Path) -> None:
    build_generator(tmp_path / "two", ID, ["hello", "rain"])
    generator = opened(tmp_path / "two")
    short = ["", *(f"{a}" for a in ("hello", "rain"))]
    sums, lengths = generator.log_probabilities(TURNS, OWN, short)
    assert lengths.tolist() == [1, 2, 2]
    assert 0 < np.exp(sums).sum() < 1
    assert np.isnan(generator.log_probabilities(TURNS, OWN, ["hello pizza"])[0][0])  # no output for pizza


def test_what_few_people_say_is_not_said(bundle: Path, copy: Path) -> None:
    np.save(copy / SPANS, keys_of(sorted(set(SPOKEN) - {"rain"})))
    careful = opened(copy)
    drawn = [reply.text for seed in range(20) for reply in careful.generate(TURNS, OWN, seed=seed, is_public=False)]
    said = [reply.text for seed in range(20) for reply in careful.generate(TURNS, OWN, seed=seed)]
    assert any("rain" in text for text in drawn)
    assert said == [text for text in drawn if "rain" not in text]


def test_nothing_comes_of_none(bundle: Path) -> None:
    generator = opened(bundle)
    assert generator.generate(TURNS, OWN, sampling=replace(generator.sampling, n=0)) == []
    assert generator.generate(TURNS, OWN, sampling=replace(generator.sampling, max_tokens=0)) == []


def test_an_endless_reply_is_given_up(bundle: Path) -> None:
    generator = opened(bundle)
    endless = replace(generator.sampling, max_tokens=1, n=20)
    assert generator.generate(TURNS, OWN, seed=0, sampling=endless) == []


def test_once_time_is_up_what_is_finished_is_used(bundle: Path) -> None:
    generator = opened(bundle)
    every = generator.generate(TURNS, OWN, seed=3, sampling=replace(generator.sampling, n=40))
    asked: list[int] = []

    def goes_on() -> bool:
        asked.append(1)
        return len(asked) <= 3  # before, and after two tokens

    some = generator.generate(TURNS, OWN, seed=3, sampling=replace(generator.sampling, n=40), goes_on=goes_on)
    assert 0 < len(some) < len(every)
    assert some == [reply for reply in every if reply.tokens <= 3]
    assert generator.generate(TURNS, OWN, seed=3, goes_on=lambda: False) == []


def test_a_text_that_stops_ends_a_reply_and_is_not_said(bundle: Path) -> None:
    generator = opened(bundle)
    sampling = replace(generator.sampling, n=60, stop=("rain",))
    texts = [reply.text for reply in generator.generate(TURNS, OWN, seed=0, sampling=sampling)]
    assert texts
    assert not any("rain" in text for text in texts)


def test_a_seed_says_the_same_again(bundle: Path) -> None:
    generator = opened(bundle)
    assert generator.generate(TURNS, OWN, seed=5) == generator.generate(TURNS, OWN, seed=5)
    assert generator.generate(TURNS, OWN, seed=5) != generator.generate(TURNS, OWN, seed=6)


def test_a_context_longer_than_the_window_is_answered(bundle: Path) -> None:
    generator = opened(bundle)
    turns = ["i like pizza so so so so so so"] * 9
    assert generator.generate(turns, [False] * 9, seed=1, is_public=False)
    assert generator.generate(["i " * 500], [False], seed=1, is_public=False)
    assert generator.generate([""], [False], seed=1, is_public=False)


def probe_problems(bundle: Path, generator: Generator) -> list[Problem]:
    return probe(Opening(bundle, read_manifest(bundle), None, {}), generator)


def test_probes_notice_other_weights_words_and_templates(bundle: Path, copy: Path) -> None:
    assert probe_problems(bundle, opened(bundle)) == []
    words = sorted({*SPOKEN, "x"} - {"so"})
    changes: list[Callable[[], Any]] = [
        lambda: write_graph(copy / graph_file(FORM), len(SPOKEN) + 1, 0, seed=9),
        lambda: write_tokenizer(copy / TOKENIZER, words),
    ]
    for change in changes:
        change()
        assert probe_problems(copy, opened(copy))
        shutil.rmtree(copy)
        shutil.copytree(bundle, copy)
    template = {"opening": "", "user": ["<u> so ", " <e>"], "bot": ["<b> ", " <e>"]}
    assert probe_problems(copy, open_generator(copy, with_facts(copy, template=template)))


def test_a_generator_that_nobody_asks_sleeps_until_somebody_does(bundle: Path) -> None:
    sleeping = open_generator(bundle, read_manifest(bundle), is_asleep=True)
    assert sleeping._graph is None
    assert sleeping.problems() == []
    assert sleeping.generate(TURNS, OWN, seed=1) == opened(bundle).generate(TURNS, OWN, seed=1)
    assert sleeping._graph is not None


def test_a_release_whose_generator_is_off_opens_without_its_graph(bundle: Path) -> None:
    for when, sleeps in (("off", True), ("below", False), ("always", False)):
        manifest = with_facts(bundle, when=when)
        assert (open_part(Opening(bundle, manifest, None, {}))._graph is None) == sleeps


def test_one_that_wakes_up_is_probed_each_time_until_it_is_right(bundle: Path, copy: Path) -> None:
    write_graph(copy / graph_file(FORM), len(SPOKEN) + 1, 0, seed=9)
    sleeping = open_generator(copy, read_manifest(bundle), is_asleep=True)
    assert sleeping.problems() == []  # of its tokens alone
    for _ in range(2):
        with pytest.raises(ProbeError, match="log-probabilities"):
            sleeping.generate(TURNS, OWN)
    shutil.copyfile(bundle / graph_file(FORM), copy / graph_file(FORM))
    sleeping.wake()


def test_nobody_is_answered_by_a_graph_that_is_not_probed_yet(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeping = open_generator(bundle, read_manifest(bundle), is_asleep=True)
    seen: list[object] = []

    def probed(*_: object) -> list[Problem]:
        seen.append(sleeping._graph)
        return []

    monkeypatch.setattr("rejoinder.parts.generator.probe_problems", probed)
    sleeping.wake()
    assert seen == [None]
    assert sleeping._graph is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0}, {"layers": "two"}, {"template": None}, {"template": {"opening": ""}}, {"sampling": {}},
        {"sampling": {**FACTS["sampling"], "n": -1}}, {"when": "sometimes"}, {"below": "low"}, {"kin": None},
        {"never": [1]},
        {"executions": []}, {"executions": [{"form": FORM}]},
        {"executions": [{**FACTS["executions"][0], "form": "fp64"}]},
    ],
)  # fmt: skip
def test_facts_that_cannot_be_right_are_refused(bundle: Path, wrong: dict[str, Any]) -> None:
    assert fact_problems(read_manifest(bundle)) == []
    (name,) = wrong
    assert fact_problems(with_facts(bundle, **wrong)), name
    with pytest.raises(ConsistencyError):
        open_generator(bundle, with_facts(bundle, **wrong))


@pytest.mark.parametrize("wrong", [{"width": 16}, {"layers": 3}, {"head_dim": 2}, {"kv_heads": 4}])
def test_a_graph_of_another_shape_is_refused(bundle: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(BundleError):
        open_generator(bundle, with_facts(bundle, **wrong))


def test_a_graph_without_a_pass_is_refused(copy: Path) -> None:
    write_graph(copy / graph_file(FORM), len(SPOKEN) + 1, 0, prefix="before")
    with pytest.raises(ConsistencyError, match="inputs and outputs"):
        opened(copy)


def test_choices_that_no_token_fits_are_refused(bundle: Path, copy: Path) -> None:
    choices = np.load(bundle / CHOICES)
    for wrong in (choices[::-1], choices + 1000, choices[:0], choices[1:]):
        np.save(copy / CHOICES, np.ascontiguousarray(wrong))
        with pytest.raises(BundleError):
            opened(copy)


def test_facts_are_plain_data(bundle: Path) -> None:
    generator = opened(bundle)
    assert json.loads(json.dumps(asdict(generator.sampling)))["n"] == FACTS["sampling"]["n"]
    assert generator.when == "always"


def test_whoever_verifies_a_release_wakes_what_sleeps_in_it(tmp_path: Path) -> None:
    bundles = build_whole(tmp_path / "whole")
    write_graph(bundles[GENERATOR.bundle] / graph_file(FORM), len(SPOKEN) + 1, 0, seed=9)
    reseal(bundles[GENERATOR.bundle])
    installed = pin(bundles)
    opened = open_release(installed, trust=Trust(KEY.parent))
    with pytest.raises(ProbeError, match="log-probabilities"):
        prove_the_rest(installed, opened)
    opened.close()
