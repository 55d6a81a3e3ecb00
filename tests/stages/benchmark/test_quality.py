"""Typos, slices and replays measure what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from rejoinder.parts.opened import OpenRelease
from stages.benchmark.comparison import Bootstrap
from stages.benchmark.noise import noise
from stages.benchmark.replay import people_say, replay
from stages.benchmark.slices import slices
from stages.benchmark.typos import mistyped, mistyped_contexts
from stages.evaluation.candidates import Candidates

SAID = ["what do you do for fun?", "i feel lonely today and nobody calls", "ok"]


def lists(items: int = 60) -> Candidates:
    table = pl.DataFrame({
        "pair_id": [f"c{n // 10}/0/{n}" for n in range(items)],
        "conversation_id": [f"c{n // 10}" for n in range(items)],
        "context": [["one two three"] * (1 + n % 2) for n in range(items)],
        "context_own": [[False] * (1 + n % 2) for n in range(items)],
        "gold": [n % 5 for n in range(items)],
        "random": [[row for row in range(5) if row != n % 5] for n in range(items)],
        "hard": [[row for row in range(5) if row != n % 5] for n in range(items)],
    })  # fmt: skip
    return Candidates(table, pl.DataFrame({"text": list("abcde"), "conversations": [["x"]] * 5}))


def test_every_text_is_mistyped_a_little_and_the_same_way_again() -> None:
    typed = mistyped(SAID, seed=3)
    assert typed == mistyped(SAID, seed=3)
    assert typed != mistyped(SAID, seed=4)
    assert all(abs(len(said) - len(wrong)) <= 4 for said, wrong in zip(SAID, typed, strict=True))
    assert sum(said != wrong for said, wrong in zip(SAID, typed, strict=True)) >= 2


def test_nothing_is_typed_where_nothing_was_said() -> None:
    assert mistyped(["", "  "], seed=1) == ["", "  "]


def test_contexts_are_mistyped_and_replies_are_not() -> None:
    clean = lists()
    noisy = mistyped_contexts(clean, seed=1)
    assert noisy.pool.equals(clean.pool)
    assert noisy.items.drop("context").equals(clean.items.drop("context"))
    assert noisy.items["context"].list.len().to_list() == clean.items["context"].list.len().to_list()
    assert noisy.checksum != clean.checksum


def test_what_typing_errors_cost_is_the_difference_item_by_item() -> None:
    candidates = lists()
    clean = np.ones(len(candidates.items), np.int64)
    scores = np.zeros((len(candidates.items), 5), np.float32)
    scores[np.arange(30), candidates.items["gold"].to_numpy()[:30]] = 1
    bootstrap = Bootstrap(candidates.items["conversation_id"].to_list(), rounds=200, seed=1)
    found = noise({"served": clean}, {"served": lambda: scores}, candidates, bootstrap)
    assert found["served"]["r_at_1"] == found["served"]["lost"] == 0.5
    assert found["served"]["low"] < 0.5 < found["served"]["high"]


def test_slices_count_hits_and_leave_small_ones_out(tmp_path: Path) -> None:
    candidates = lists(65)
    sources = ["chat"] * 60 + ["rare"] * 5
    pl.DataFrame({"pair_id": candidates.items["pair_id"], "source": sources}).write_parquet(
        tmp_path / "pairs.parquet"
    )
    rank = np.where(candidates.items["context"].list.len().to_numpy() == 1, 1, 7).astype(np.int64)
    found = slices(rank, candidates, tmp_path / "pairs.parquet")
    assert found["turns"] == {"1": {"items": 33, "share": 1.0}, "2": {"items": 32, "share": 0.0}}
    assert set(found["source"]) == {"chat"}
    assert found["last_words"] == {"3-5": {"items": 65, "share": 33 / 65}}


def test_a_person_says_every_other_turn() -> None:
    pairs = pl.DataFrame({
        "pair_id": ["c/0/2", "c/0/1", "c/0/3", "c/1/1"],
        "context": [["a", "b"], ["a"], ["a", "b", "c"], ["z"]],
    })  # fmt: skip
    assert people_say(pairs, 5) == [["a", "c"], ["z"]]
    assert people_say(pairs, 1) == [["a", "c"]]


def test_a_replay_counts_what_enters_newly(opened: OpenRelease) -> None:
    found = replay(opened, [["hi", "no such phrase"], ["no such phrase"]])
    assert found["dialogues"] == 2
    assert 0 < found["person_needed_model"] < 1
    assert found["answer_ms"]["model"] > 0
    assert found["hot_ms"] > 0
