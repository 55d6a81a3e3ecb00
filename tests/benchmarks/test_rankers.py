"""Rankers: slates are fixed, every model learns, and what is measured is what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.rankers import junk, laughter, likelihood, sessions
from benchmarks.rankers.learning import learn
from benchmarks.rankers.likelihood import BASELINES, heads_ranker
from benchmarks.rankers.models import build_models
from benchmarks.rankers.slates import Slates, World, fixed_slates, learning_slates
from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.heads import open_heads
from rejoinder.parts.opened import open_model
from rejoinder.release.manifest import read_manifest
from rejoinder.release.tokenizer_file import TOKENIZER
from stages.common.messages import FEEDBACK
from stages.common.turn_vectors import TurnVectors, write_turns
from stages.evaluation.candidates import Candidates
from stages.evaluation.slates import calibration, junk_of
from tests.bundles import _SENTENCES, build_whole

TEXTS = list(_SENTENCES)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    bundles = build_whole(folder / "build")
    vectorizer, _ = open_model(bundles[VECTORIZER.bundle])
    (folder / "turns").mkdir()
    write_turns(folder / "turns", vectorizer, TEXTS, vectorizer.encode(TEXTS))
    heads = open_heads(bundles[HEADS.bundle], read_manifest(bundles[HEADS.bundle]), vectorizer.dim)
    known = TurnVectors(folder / "turns", vectorizer.id)
    return World(vectorizer, known, heads, bundles[VECTORIZER.bundle] / TOKENIZER)


@pytest.fixture(scope="module")
def pairs() -> pl.DataFrame:
    n = 60
    return pl.DataFrame(
        {
            "pair_id": [f"{row:03}" for row in range(n)],
            "split": ["train"] * n,
            "conversation_id": [f"c{row // 6}" for row in range(n)],
            "sender": [f"u{row // 6}" if row % 2 else f"v{row // 6}" for row in range(n)],
            "context": [[TEXTS[row % len(TEXTS)]] * (1 + row % 2) for row in range(n)],
            "context_own": [[False] * (1 + row % 2) for row in range(n)],
            "reply": [TEXTS[(row + 1) % len(TEXTS)] for row in range(n)],
            "reaction": ["funny" if row % 3 == 0 else None for row in range(n)],
        }
    )


@pytest.fixture(scope="module")
def slates(world: World, pairs: pl.DataFrame) -> Slates:
    return learning_slates(pairs, 40, world, seed=0)


def test_the_gold_reply_comes_first_and_nothing_worded_alike_is_it(slates: Slates) -> None:
    assert slates.rows.shape == (40, 13)
    assert all(gold not in alike for gold, alike in zip(slates.rows[:, 0], slates.rows[:, 1:7], strict=True))
    again = Slates(**{name: getattr(slates, name) for name in slates.__dataclass_fields__})
    assert again.checksum == slates.checksum


def test_fixed_slates_are_drawn_of_the_fixed_lists(world: World) -> None:
    others = list(range(1, 15))
    items = pl.DataFrame(
        {
            "pair_id": ["a"], "conversation_id": ["c"], "context": [[TEXTS[0]]], "context_own": [[False]],
            "gold": [0], "hard": [others], "random": [others],
        }
    )  # fmt: skip
    found = fixed_slates(Candidates(items, pl.DataFrame({"text": TEXTS[:15]})), "hard", world)
    assert found.rows.shape == (1, 10)
    assert found.rows[0, 0] == 0
    assert set(found.rows[0, 1:]) <= set(others)


@pytest.mark.parametrize("name", ["words", "lstm", "linear", "mlp"])
def test_every_model_learns_and_scores(name: str, world: World, slates: Slates) -> None:
    make = build_models(world.heads)[name]
    learnt = learn(make, slates, 80, 1, name)
    assert learnt.weights == sum(part.numel() for part in learnt.model.parameters())
    scores = learnt.scores(slates)
    assert scores.shape == slates.rows.shape
    untaught = learn(make, slates, 1, 1, name).scores(slates)
    assert likelihood.judge(scores).pairwise > likelihood.judge(untaught).pairwise


def test_a_tie_is_wrong_and_a_gain_has_its_interval(slates: Slates) -> None:
    flat = likelihood.judge(np.zeros((3, 4), np.float32))
    assert (flat.r_at_1, flat.pairwise, flat.auc) == (0.0, 0.0, 0.5)
    best = likelihood.judge(np.tile(np.array([[2, 1, 0]], np.float32), (len(slates), 1)))
    worst = likelihood.judge(np.zeros((len(slates), 3), np.float32))
    assert likelihood.gain(best, worst, slates) == (1.0, 1.0, 1.0)


def test_a_sharp_ranker_that_is_often_wrong_is_cooled() -> None:
    draw = np.random.default_rng(0)
    scores = (100 * draw.random((400, 5))).astype(np.float32)
    t = likelihood.temperature(scores)
    assert t > 10
    assert calibration(scores, t)[0] < calibration(scores, 1.0)[0]


def test_baselines_score_and_junk_is_counted(slates: Slates) -> None:
    for rank in BASELINES.values():
        assert rank(slates).shape == slates.rows.shape
    assert junk_of(["a", "b"])[-2:] == ["b", "a b"]
    falling = junk.below_median(lambda both: -np.cumsum(np.ones(both.rows.shape, np.float32), axis=1), slates)
    assert (falling, junk.below_median(lambda both: np.zeros(both.rows.shape, np.float32), slates)) == (1.0, 0.0)


def test_laughter_is_measured_on_episodes_that_were_held_out(world: World, pairs: pl.DataFrame) -> None:
    reacted = laughter.read_reacted(pairs, world)
    held = laughter.held_out_episodes(reacted.episodes, 0)
    assert not set(reacted.episodes[held]) & set(reacted.episodes[~held])
    first = reacted.features["reply"][:, 5]  # of the reply's vector, after the lengths
    told = replace(reacted, labels=first > np.median(first))
    aucs = laughter.laughter_aucs(told, 1)
    assert len(aucs) == 5
    assert aucs["linear on the reply's vector"][0] > 0.8


def test_ratings_are_joined_for_conversations_of_two(
    tmp_path: Path, world: World, pairs: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PAIRS", (1, 100))
    monkeypatch.setattr(sessions, "_ROUNDS", 20)
    rows = [("chitchat", f"c{n}", None, "witty", 9 if n % 2 else 2) for n in range(10)]
    pl.DataFrame(rows, FEEDBACK, orient="row").write_parquet(tmp_path / "feedback.parquet")
    said = sessions.read_sessions(pairs, tmp_path / "feedback.parquet")
    assert said.is_good.tolist() == [n % 2 == 1 for n in range(10)]
    assert said.components == (10, 0.1)
    knowing = sessions.untrained_auc(said, world, lambda of: np.array([[int(c[1:]) % 2] for c in of.conversations]))
    assert knowing["score"] == (1.0, 1.0, 1.0)
    for found in (sessions.untrained_auc(said, world, heads_ranker), sessions.trained_auc(said, world)):
        assert set(found) == {"score", "length", "difference"}
        assert found["score"][1] <= found["score"][0] <= found["score"][2] or found["score"][0] in {0.0, 1.0}
