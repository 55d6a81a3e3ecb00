"""Every turn is encoded once, whatever the spelling, and no text is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from rejoinder.parts.opened import open_model
from stages.common.turn_vectors import TurnVectors
from stages.turns.stage import Params, distinct_turns, run
from tests.bundles import build_model

PAIRS = pl.DataFrame({"context": [["I love rain", "hi"], ["HI"]], "reply": ["you know", "i  love rain"]})


def test_spellings_of_one_turn_are_one() -> None:
    assert distinct_turns(PAIRS) == ["hi", "i love rain", "you know"]


def test_the_vectors_are_the_exported_vectorizers(tmp_path: Path) -> None:
    (tmp_path / "dialogues").mkdir()
    PAIRS.write_parquet(tmp_path / "dialogues" / "pairs.parquet")
    build_model(tmp_path / "export" / "model")
    run(Params(), dialogues=tmp_path / "dialogues", export=tmp_path / "export", out=tmp_path / "turns")
    vectorizer, _ = open_model(tmp_path / "export" / "model")
    turns = TurnVectors(tmp_path / "turns", vectorizer.id)
    texts = ["Hi", "I LOVE rain", "you know"]
    np.testing.assert_allclose(turns.of(texts), vectorizer.encode(texts), atol=1e-3)
    assert len(turns.table) == 3
    assert b"rain" not in b"".join(path.read_bytes() for path in (tmp_path / "turns").iterdir())
