"""Slates to learn from: the gold reply first, junk last, and the gold reply once more is no wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from rejoinder.parts.reading import Reading
from stages.evaluation.candidates import reply_key
from stages.ranker import junk
from stages.ranker.learn import listwise, over_slates
from stages.ranker.slates import ALIKE, ANY, Slates, Tokens, learning_slates, read_tokens, worded_alike
from tests.stages.ranker.tiny import open_reading, some_pairs, tiny_ranker

PAIRS = some_pairs()


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    return open_reading(tmp_path_factory.mktemp("reading"))


@pytest.fixture(scope="module")
def slates(reading: Reading) -> Slates:
    return learning_slates(PAIRS, 40, reading, seed=0)


def said(slates: Slates, row: Any) -> list[int]:
    """Tokens of a reply of the pool."""
    return [int(token) for token in slates.tokens.pool[row] if token]


def test_each_drawn_pair_has_one_slate(slates: Slates) -> None:
    assert slates.rows.shape == (40, 1 + ALIKE + ANY + junk.KINDS)
    assert len(slates) == len(set(slates.ids)) == len(slates.tokens.contexts) == 40
    assert slates.ids == sorted(slates.ids)
    assert set(slates.rows.ravel().tolist()) == set(range(len(slates.tokens.pool)))


def test_the_gold_reply_comes_first_after_its_context(slates: Slates, reading: Reading) -> None:
    pairs = {row["pair_id"]: row for row in PAIRS.to_dicts()}
    for number, pair in enumerate(pairs[name] for name in slates.ids):
        assert said(slates, slates.rows[number, 0]) == reading.replies([pair["reply"]])[0].tolist()
        ids, kinds = reading.context(reading.turns(pair["context"]), pair["context_own"])
        assert slates.tokens.contexts[number, : len(ids)].tolist() == ids
        assert slates.tokens.kinds[number, : len(ids)].tolist() == kinds
        assert not slates.tokens.contexts[number, len(ids) :].any()


def test_what_is_worded_alike_is_not_the_gold_reply(slates: Slates) -> None:
    alike = slates.rows[:, 1 : 1 + ALIKE]
    assert not (alike == slates.rows[:, :1]).any()
    gold = [set(said(slates, row)) for row in slates.rows[:, 0]]
    shared = [
        np.mean([len(own & set(said(slates, row))) for own, row in zip(gold, column, strict=True)])
        for column in (slates.rows[:, 1], slates.rows[:, 1 + ALIKE])
    ]
    assert shared[0] > shared[1]


def test_junk_is_last_and_each_slates_own(slates: Slates) -> None:
    bad = slates.rows[:, -junk.KINDS :]
    assert len(np.unique(bad)) == bad.size
    assert bad.min() > slates.rows[:, : -junk.KINDS].max()


def test_a_seed_draws_the_same_again_and_another_does_not(slates: Slates, reading: Reading) -> None:
    again, other = (learning_slates(PAIRS, 40, reading, seed) for seed in (0, 1))
    assert np.array_equal(again.rows, slates.rows)
    assert np.array_equal(again.tokens.pool, slates.tokens.pool)
    assert other.ids != slates.ids


def test_a_few_replies_are_enough_and_equal_ones_are_one(reading: Reading) -> None:
    few = PAIRS.head(12).with_columns(reply=pl.Series(["I like rain.", "i like rain!", "hi", "you know"] * 3))
    found = learning_slates(few, 100, reading, seed=0)
    assert len(found) == 12
    real = {tuple(said(found, row)) for row in found.rows[:, : -junk.KINDS].ravel()}
    assert len(real) == 3
    by_id = dict(zip(found.ids, found.rows[:, 0].tolist(), strict=True))
    assert by_id["000"] == by_id["001"] != by_id["002"]


def test_the_nearest_in_words_are_found_without_the_reply_itself() -> None:
    pool = ["i like rain", "i like pizza", "they like rain", "we want home", "hello"]
    assert len({reply_key(text) for text in pool}) == len(pool)
    found = worded_alike(pool, np.array([3, 0, 0]), 2)
    assert set(found[1]) == set(found[2]) == {1, 2}
    assert 3 not in found[0]


def test_the_gold_reply_once_more_is_no_wrong_one() -> None:
    model: Any = lambda scores: scores[..., None]  # noqa: E731
    scores = torch.tensor([[2.0, 5.0, 1.0], [0.0, 1.0, 2.0]])
    again = torch.tensor([[True, False], [False, False]])
    found = listwise(model, ((scores,), again))
    alone = [float(torch.logsumexp(row, 0) - row[0]) for row in (scores[0, [0, 2]], scores[1])]
    assert found.item() == pytest.approx(np.mean(alone))


def test_a_batch_is_no_longer_than_its_longest(reading: Reading) -> None:
    tokens = read_tokens(
        reading, [["i like rain"], ["hi", "hi"], ["hi"]], [[True], [False, True], [False]], ["hi", "you know pizza"]
    )
    assert tokens.contexts.shape[1] == 5
    contexts, kinds, replies = tokens.batch(np.array([2]), np.array([[0, 0]]))
    assert (contexts.shape, kinds.shape, replies.shape) == ((1, 3), (1, 3), (1, 2, 3))
    assert tokens.batch(np.array([0, 2]), np.array([[0, 1]] * 2))[2].shape == (2, 2, 5)
    assert kinds.tolist() == [[0, 0, 0]]


def test_all_slates_are_scored_whatever_the_batch(slates: Slates) -> None:
    model = tiny_ranker(outputs=2)
    found = over_slates(model, slates)
    assert found.shape == (*slates.rows.shape, 2)
    last = Tokens(slates.tokens.contexts[-1:], slates.tokens.kinds[-1:], slates.tokens.pool)
    alone = over_slates(model, Slates(last, slates.rows[-1:], slates.ids[-1:]))
    np.testing.assert_allclose(alone[0], found[-1], atol=1e-4)
    assert over_slates(model, slates, model.states).shape == (*slates.rows.shape, model.width)


def test_there_is_junk_of_every_kind_and_for_every_reply(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for reply in ("We like rain.", "?!", ""):
        signs, repeated, copied, praise, pictures = junk.draw_junk(["hi", "you know"], reply, draw)
        assert not any(word in signs for word in ("hi", "know"))
        assert len(set(repeated.split())) == 1
        assert len(repeated.split()) >= 3
        assert copied in {"you know", "hi you know"}
        assert len(praise.split()) >= 3
        assert pictures
    assert len(junk.draw_junk(["hi"], "hi", draw)) == junk.KINDS
