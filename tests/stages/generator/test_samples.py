"""Samples are drawn once, from what was learnt, and show what the bundle would withhold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rejoinder.parts.generator import Generated
from rejoinder.parts.sampling import Sampling
from stages.generator import samples
from stages.generator.samples import EACH, draw_samples


@dataclass
class Speaker:
    """Says so many replies to any context, of which the first is withheld."""

    replies: int
    sampling: Sampling = field(default_factory=lambda: Sampling(3, 20, 0.8, 40, 0.95, 1.1))
    asked: list[tuple[tuple[str, ...], int, int | None]] = field(default_factory=list)

    def generate(
        self, turns: Sequence[str], own: Sequence[bool], *, sampling: Sampling, seed: int | None, is_public: bool
    ) -> list[Generated]:
        assert len(own) == len(turns)
        assert not is_public  # who judges sees all of it
        self.asked.append((tuple(turns), sampling.n, seed))
        return [Generated(f"{turns[0]} {n}", -1.5 * n, 4) for n in range(self.replies)]

    def is_public(self, text: str) -> bool:
        return not text.endswith(" 0")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [
        (f"{source}/{split}/{n}", source, split, [f"{source} {split} {n}", "ok"], [False, True])
        for source in ("chitchat", "seinfeld")
        for split in ("train", "test")
        for n in range(12)
    ]
    columns = ["pair_id", "source", "split", "context", "context_own"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(tmp_path / "pairs.parquet")
    return tmp_path / "pairs.parquet"


def speaking(monkeypatch: pytest.MonkeyPatch, replies: int) -> Speaker:
    speaker = Speaker(replies)
    monkeypatch.setattr(samples, "read_manifest", lambda bundle: bundle)
    monkeypatch.setattr(samples, "open_generator", lambda bundle, manifest: speaker)
    return speaker


def drawn(pairs: Path, number: int, seed: int = 1, **changes: Any) -> pl.DataFrame:
    return draw_samples(pairs.parent, pairs, number, seed, **{"sources": ["chitchat"], **changes})


def test_contexts_are_those_that_were_learnt_and_each_is_asked_for_several(
    monkeypatch: pytest.MonkeyPatch, pairs: Path
) -> None:
    speaker = speaking(monkeypatch, replies=4)
    found = drawn(pairs, 10)
    assert len(found) == 10
    assert found["pair_id"].str.starts_with("chitchat/train/").all()
    assert [n for _, n, _ in speaker.asked] == [EACH] * 3
    assert found["is_public"].to_list()[:4] == [False, True, True, True]


def test_the_same_seed_draws_the_same_and_another_asks_other_contexts(
    monkeypatch: pytest.MonkeyPatch, pairs: Path
) -> None:
    speaking(monkeypatch, replies=4)
    assert drawn(pairs, 12).equals(drawn(pairs, 12))
    assert drawn(pairs, 12)["pair_id"].to_list() != drawn(pairs, 12, seed=2)["pair_id"].to_list()


def test_a_generator_that_says_nothing_leaves_a_short_table_and_an_end(
    monkeypatch: pytest.MonkeyPatch, pairs: Path
) -> None:
    speaker = speaking(monkeypatch, replies=0)
    found = drawn(pairs, 10)
    assert found.is_empty()
    assert found.columns == ["pair_id", "source", "text", "log_probability", "tokens", "is_public"]
    assert len(speaker.asked) == 5
    assert drawn(pairs, 0).is_empty()
