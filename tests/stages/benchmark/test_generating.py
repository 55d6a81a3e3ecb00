"""The short measure of a generator: what it finds likely, how varied it is, and against whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rejoinder.parts.generator import Generator, open_generator
from rejoinder.release.vectorizer_spec import VectorizerId
from stages.benchmark.generating import distinct, measure_generating
from stages.common.errors import DataError
from tests.generators import SPOKEN, build_generator

ID = VectorizerId("sha256:" + "0" * 64)


def speaker(folder: Path, said: tuple[str, ...] = SPOKEN, seed: int = 0) -> Generator:
    return open_generator(folder, build_generator(folder, ID, said, seed=seed))


@pytest.fixture
def generator(tmp_path: Path) -> Generator:
    return speaker(tmp_path / "generator")


@pytest.fixture
def dialogues(tmp_path: Path) -> Path:
    replies = ["i love music", "you miss home", "we feel so", "rain"] * 5
    rows = [
        ("chitchat", split, f"c{n // 2}", f"c{n // 2}/{split}/{n}", ["hello", "i like pizza"], [False, True], reply)
        for split in ("test", "train")
        for n, reply in enumerate(replies)
    ]
    columns = ["source", "split", "conversation_id", "pair_id", "context", "context_own", "reply"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(tmp_path / "pairs.parquet")
    said = ["i love music", "i love music", "home so home so"]
    samples = pl.DataFrame({"source": "chitchat", "text": said, "is_public": [True, True, False]})
    samples.write_parquet(tmp_path / "samples.parquet")
    return tmp_path


def measured(generator: Generator | None, dialogues: Path, champion: Generator | None = None) -> dict[str, Any]:
    how = {"items": 12, "rounds": 100, "seed": 1}
    found = measure_generating(generator, champion, dialogues, dialogues / "samples.parquet", **how)
    json.dumps(found, allow_nan=False)
    return found


def test_a_perplexity_is_that_of_tokens_with_an_interval_over_conversations(
    generator: Generator, dialogues: Path
) -> None:
    found = measured(generator, dialogues)
    assert (found["items"], found["unsayable"]) == (12, 0)
    assert found["perplexity"]["low"] <= found["perplexity"]["value"] <= found["perplexity"]["high"]
    assert 2 < found["perplexity"]["value"] < 40
    assert found["against_champion"] is None
    assert found["seconds"] > 0


def test_replies_that_it_cannot_say_are_counted_and_left_out(tmp_path: Path, dialogues: Path) -> None:
    mute = speaker(tmp_path / "mute", tuple(word for word in SPOKEN if word != "music"))
    found = measured(mute, dialogues)
    assert found["items"] + found["unsayable"] == 12
    assert found["unsayable"] > 0


def test_one_that_can_say_nothing_is_told_in_words(tmp_path: Path, dialogues: Path) -> None:
    with pytest.raises(DataError, match="12 held-out replies, got not one"):
        measured(speaker(tmp_path / "mute", ("too", "pizza")), dialogues)


def test_against_itself_nothing_is_gained_and_against_another_something_is_said(
    generator: Generator, tmp_path: Path, dialogues: Path
) -> None:
    assert measured(generator, dialogues, generator)["against_champion"] == {"difference": 0, "low": 0, "high": 0}
    against = measured(generator, dialogues, speaker(tmp_path / "other", seed=3))["against_champion"]
    assert against["difference"] != 0
    assert against["low"] <= against["difference"] <= against["high"]


def test_without_a_generator_there_is_nothing_to_measure(dialogues: Path) -> None:
    assert measured(None, dialogues) == {"is_there": False}


def test_only_what_may_be_said_counts_as_varied(generator: Generator, dialogues: Path) -> None:
    found = measured(generator, dialogues)
    assert found["distinct_1"] == pytest.approx(3 / 6)
    assert found["distinct_2"] == pytest.approx(2 / 4)


def test_what_is_said_again_is_not_distinct_and_nothing_is_not_at_all() -> None:
    assert distinct(["a b c d"]) == {"distinct_1": 1.0, "distinct_2": 1.0}
    assert distinct(["a a a a", "A a"]) == {"distinct_1": pytest.approx(1 / 6), "distinct_2": pytest.approx(1 / 4)}
    assert distinct([]) == {"distinct_1": 0.0, "distinct_2": 0.0}
