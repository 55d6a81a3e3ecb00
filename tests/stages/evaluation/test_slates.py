"""Slates out of fixed lists are the same for whoever ranks them, and junk is told from real replies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.heads import open_heads
from rejoinder.parts.opened import open_model
from rejoinder.release.manifest import read_manifest
from stages.common.turn_vectors import TurnVectors, write_turns
from stages.evaluation.candidates import Candidates
from stages.evaluation.slates import SIZE, below_median, first, fixed_rows, heads_scores, junk_of
from tests.bundles import _SENTENCES, build_whole

TEXTS = list(_SENTENCES[:45])
LISTS = Candidates(
    pl.DataFrame(
        {
            "context": [TEXTS[:5], TEXTS[5:6]],
            "context_own": [[False, True, True, False, False], [True]],
            "gold": [3, 7],
            "hard": [list(range(10, 25)), list(range(30, 42))],
            "random": [list(range(12, 21)), list(range(21, 30))],
        }
    ),
    pl.DataFrame({"text": TEXTS}),
)


def test_slates_are_those_of_every_figure_so_far() -> None:
    drawn = [[3, 15, 17, 14, 13, 24, 12, 22, 10, 23], [7, 35, 34, 31, 40, 30, 41, 38, 32, 36]]
    assert fixed_rows(LISTS, "hard").tolist() == drawn
    another = [[3, 13, 23, 19, 11, 10, 14, 24, 20, 16], [7, 36, 33, 35, 38, 40, 30, 32, 39, 37]]
    assert fixed_rows(LISTS, "hard", seed=1).tolist() == another


def test_a_slate_is_the_gold_reply_before_nine_others_of_its_list() -> None:
    rows = fixed_rows(LISTS, "random")
    assert rows.shape == (2, SIZE)
    assert rows.dtype == np.int64
    assert rows[:, 0].tolist() == [3, 7]
    assert [sorted(others) for others in rows[:, 1:].tolist()] == LISTS.items["random"].to_list()


def test_heads_score_slates_as_they_score_an_answer(tmp_path: Path) -> None:
    bundles = build_whole(tmp_path / "build")
    vectorizer, _ = open_model(bundles[VECTORIZER.bundle])
    heads = open_heads(bundles[HEADS.bundle], read_manifest(bundles[HEADS.bundle]), vectorizer.dim)
    (tmp_path / "turns").mkdir()
    write_turns(tmp_path / "turns", vectorizer, TEXTS, vectorizer.encode(TEXTS))
    rows = fixed_rows(LISTS, "hard")
    found = heads_scores(heads, TurnVectors(tmp_path / "turns", vectorizer.id), LISTS, rows)
    assert found.shape == (2, SIZE)
    assert found.dtype == np.float32
    for n, (context, own) in enumerate(LISTS.items.select("context", "context_own").rows()):
        asked = heads.context(vectorizer.encode(context[-heads.turns :]), own[-heads.turns :])
        said = heads.replies(vectorizer.encode([TEXTS[row] for row in rows[n]]))
        np.testing.assert_allclose(found[n], said @ asked, atol=2e-3)  # turns are kept in half precision


def test_the_gold_reply_must_be_above_all_others() -> None:
    scores = np.array([[2, 1, 0], [1, 2, 0], [1, 1, 0], [1, 0, 2]], np.float32)
    assert first(scores).tolist() == [True, False, False, False]


def test_junk_is_the_same_for_all_and_ends_with_the_context_itself() -> None:
    found = junk_of(["hi", "i like rain", "you know"])
    assert found[-2:] == ["you know", "i like rain you know"]
    assert found[:-2] == junk_of(["hello"])[:-2]
    assert junk_of(["hello"])[-2:] == ["hello", "hello"]
    assert len(set(found)) == len(found) == 7


@pytest.mark.parametrize(
    ("junk", "share"),
    [([[0.0, 1.0], [10.0, 11.0]], 1.0), ([[5.0, 9.0], [15.0, 99.0]], 0.0), ([[2.0, 2.1], [9.0, 14.0]], 0.25)],
)
def test_junk_is_compared_with_the_median_of_its_own_slate(junk: list[list[float]], share: float) -> None:
    real = np.array([[1, 2, 3], [11, 12, 13]], np.float32)  # one that ties with the median is not below it
    assert below_median(real, np.array(junk, np.float32)) == share
