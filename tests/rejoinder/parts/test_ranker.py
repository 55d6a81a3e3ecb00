"""A ranker: opened only as its manifest says, probed, and deaf to what else stands in a slate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rejoinder.errors import BundleError, ConsistencyError, FormatError, IntegrityError, ProbeError
from rejoinder.parts import RANKER, Kind
from rejoinder.parts.opened import open_model, open_release
from rejoinder.parts.ranker import GRAPH, SCORES, THERE, TOKENS, WORDS, Ranker, memory, open_ranker
from rejoinder.release.manifest import read_manifest
from tests.bundles import REPLIES, build_whole, pin, reseal
from tests.rankers import WIDTH, build_ranker, write_ranker_graph

CONTEXT, OWN = ["i like rain", "you know pizza", "they miss home"], [False, True, False]
#: Of one word to eleven, in no order.
SLATE = ["home", "i love rain and music", "you know", "they want pizza", "we feel lonely " * 3, "", "my cat"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    """Bundles of a release; read-only."""
    return build_whole(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def ranker(whole: dict[Kind, Path], tmp_path_factory: pytest.TempPathFactory) -> Ranker:
    """One with two outputs."""
    return opened(whole, tmp_path_factory.mktemp("ranker") / "two", (0.5, -2.0))


def opened(bundles: dict[Kind, Path], directory: Path, weights: Sequence[float]) -> Ranker:
    vectorizer, _ = open_model(bundles["model"])
    build_ranker(directory, vectorizer, bundles["heads"], weights)
    return Ranker(directory, read_manifest(directory).facts, vectorizer.tokenizer_file)


@pytest.fixture
def bundles(tmp_path: Path) -> dict[Kind, Path]:
    return build_whole(tmp_path)


def test_every_reply_gets_a_score_of_each_output(ranker: Ranker) -> None:
    scores = ranker.scores(CONTEXT, OWN, REPLIES)
    assert scores.shape == (len(REPLIES), 2)
    assert scores.dtype == np.float32
    assert (scores.std(axis=0) > 0.01).all()


def test_a_reply_scores_the_same_whatever_stands_beside_it(ranker: Ranker) -> None:
    together = ranker.scores(CONTEXT, OWN, [*SLATE, *REPLIES])[: len(SLATE)]
    alone = np.concatenate([ranker.scores(CONTEXT, OWN, [reply]) for reply in SLATE])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_scores_stand_in_the_order_of_the_replies(ranker: Ranker) -> None:
    slate = [*SLATE, *REPLIES]  # more than a batch, of all lengths
    order = np.random.default_rng(0).permutation(len(slate))
    expected = ranker.scores(CONTEXT, OWN, slate)[order]
    np.testing.assert_allclose(ranker.scores(CONTEXT, OWN, [slate[n] for n in order]), expected, atol=1e-4)


def test_an_empty_slate_has_no_scores(ranker: Ranker) -> None:
    assert ranker.scores(CONTEXT, OWN, []).shape == (0, 2)


def test_the_context_and_who_said_it_are_read(ranker: Ranker) -> None:
    scores = [
        ranker.scores(turns, own, SLATE)
        for turns, own in ((CONTEXT, OWN), (CONTEXT, [True] * 3), (["hi"], [False]))
    ]
    assert not np.allclose(scores[0], scores[1], atol=1e-3)
    assert not np.allclose(scores[0], scores[2], atol=1e-3)


def test_turns_that_do_not_fit_are_not_read(ranker: Ranker) -> None:
    long = ["we feel lonely " * 5] * 2
    kept, cut = (ranker.scores([first, *long], [False, True, False], SLATE) for first in ("hi", "you know pizza"))
    np.testing.assert_array_equal(kept, cut)


def test_outputs_are_added_by_their_weights(ranker: Ranker) -> None:
    scores = ranker.scores(CONTEXT, OWN, SLATE)
    np.testing.assert_allclose(ranker.added(scores), scores @ np.array([0.5, -2.0]), atol=1e-6)
    assert ranker.outputs == ("likelihood", "reaction-1")
    assert ranker.is_used


def test_a_ranker_of_no_weight_is_not_used(whole: dict[Kind, Path], tmp_path: Path) -> None:
    assert not opened(whole, tmp_path / "idle", (0.0, 0.0)).is_used
    assert opened(whole, tmp_path / "one", (0.0, -0.1)).is_used


def test_a_release_has_one_or_none(bundles: dict[Kind, Path]) -> None:
    assert open_release(pin(bundles)).ranker is not None
    del bundles[RANKER.bundle]
    assert open_release(pin(bundles)).ranker is None


def test_a_ranker_of_other_heads_is_refused(bundles: dict[Kind, Path]) -> None:
    reseal(bundles[RANKER.bundle], ties={"heads": "sha256:" + "0" * 64})
    with pytest.raises(ConsistencyError, match="ranker made with heads"):
        open_release(pin(bundles))


NUMBERS = ("context_tokens", "reply_tokens", "layers", "attention_heads", "width", "candidates")
WRONG: list[tuple[str, Any]] = [
    *((name, value) for name in NUMBERS for value in (0, -1, 1 << 20, 2.0, True, "8", None)),
    ("width", 9),  # no multiple of the heads
    ("width", 10),  # others than those of the files
    ("layers", 3),
    ("attention_heads", 4),
    ("outputs", ["likelihood", "funny"]),
    *(("outputs", value) for value in ([], ["funny"], ["likelihood", 1], "likelihood", {"likelihood": 1}, None)),
    *(("weights", value) for value in ([], [1.0, 1.0], ["1"], [True], [None], [1001], [-1e9], 1.0, None)),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_fact_that_cannot_be_right_is_refused(whole: dict[Kind, Path], name: str, value: Any) -> None:
    directory, vectorizer = whole[RANKER.bundle], open_model(whole["model"])[0]
    manifest = read_manifest(directory)
    open_ranker(directory, manifest, vectorizer.tokenizer_file)
    wrong = replace(manifest, facts={**manifest.facts, name: value})
    with pytest.raises(ConsistencyError):
        open_ranker(directory, wrong, vectorizer.tokenizer_file)


def test_every_wrong_fact_is_named_at_once(bundles: dict[Kind, Path]) -> None:
    reseal(bundles[RANKER.bundle], context_tokens=0, candidates=None, outputs=["funny"])
    with pytest.raises(ConsistencyError) as caught:
        open_release(pin(bundles))
    assert [p.where for p in caught.value.problems] == [
        "facts: context_tokens",
        "facts: candidates",
        "facts: outputs",
    ]


@pytest.mark.parametrize("name", [GRAPH, WORDS, "scores.npy"])
def test_a_file_that_is_missing_is_named(bundles: dict[Kind, Path], name: str) -> None:
    path = bundles[RANKER.bundle] / name
    saved = path.read_bytes()
    path.unlink()
    with pytest.raises(IntegrityError, match=name):
        open_release(pin(bundles))
    reseal(bundles[RANKER.bundle])
    with pytest.raises(ConsistencyError, match=f"{name}: expected a file of the bundle, got nothing"):
        open_release(pin(bundles))
    path.write_bytes(saved)
    reseal(bundles[RANKER.bundle])
    open_release(pin(bundles))


@pytest.mark.parametrize("change", ["a row more", "a row less", "narrower", "float32"])
def test_words_of_another_shape_are_refused(bundles: dict[Kind, Path], change: str) -> None:
    path = bundles[RANKER.bundle] / WORDS
    words = np.load(path)
    others = {
        "a row more": np.concatenate([words, words[:1]]),
        "a row less": words[:-1],
        "narrower": np.ascontiguousarray(words[:, 1:]),
        "float32": words.astype(np.float32),
    }
    np.save(path, others[change])
    reseal(bundles[RANKER.bundle])
    with pytest.raises(ConsistencyError, match=WORDS):
        open_release(pin(bundles))


@pytest.mark.parametrize(
    ("outputs", "names"), [(1, {TOKENS: "ids"}), (1, {THERE: "mask"}), (1, {SCORES: "logits"}), (2, {})]
)
def test_a_graph_with_other_inputs_or_outputs_is_refused(
    bundles: dict[Kind, Path], outputs: int, names: dict[str, str]
) -> None:
    write_ranker_graph(bundles[RANKER.bundle] / GRAPH, outputs, **names)
    reseal(bundles[RANKER.bundle])
    with pytest.raises(ConsistencyError, match="inputs and outputs"):
        open_release(pin(bundles))


def test_a_graph_that_is_none_is_refused(bundles: dict[Kind, Path]) -> None:
    (bundles[RANKER.bundle] / GRAPH).write_bytes(b"no graph")
    reseal(bundles[RANKER.bundle])
    with pytest.raises(FormatError):
        open_release(pin(bundles))


@pytest.mark.parametrize(("by", "is_refused"), [(0.5, True), (np.nan, True), (0.01, False)])
def test_scores_that_this_machine_does_not_reproduce_are_refused(
    bundles: dict[Kind, Path], by: float, is_refused: bool
) -> None:
    path = bundles[RANKER.bundle] / "scores.npy"
    recorded = np.load(path)
    recorded[3, 0] += by
    np.save(path, recorded)
    reseal(bundles[RANKER.bundle])
    if is_refused:
        with pytest.raises(ProbeError, match=r"ranker: expected scores within 0\.1"):
            open_release(pin(bundles))
    else:
        assert open_release(pin(bundles)).ranker is not None


def test_recorded_scores_of_another_shape_are_refused(bundles: dict[Kind, Path]) -> None:
    np.save(bundles[RANKER.bundle] / "scores.npy", np.zeros((3, 1), np.float32))
    reseal(bundles[RANKER.bundle])
    with pytest.raises(BundleError, match=r"scores\.npy"):
        open_release(pin(bundles))


def test_memory_is_that_of_the_graph_and_not_of_mapped_words(bundles: dict[Kind, Path]) -> None:
    directory = bundles[RANKER.bundle]
    before = memory(read_manifest(directory), None)
    assert before >= (directory / GRAPH).stat().st_size
    np.save(directory / WORDS, np.zeros((5000, WIDTH), np.float16))
    assert memory(reseal(directory), None) == before
