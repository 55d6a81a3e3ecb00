"""Every turn is encoded once, whatever the spelling, and no text is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rejoinder.parts.arrays import Vectors
from rejoinder.parts.opened import open_model
from rejoinder.parts.vector_table import write_table
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.release.canonical import digest_file
from stages.common.text_keys import distinct_turns
from stages.common.turn_vectors import FILES, TurnVectors, write_turns
from stages.turns.stage import Params, encode_new, run
from tests.bundles import build_model
from tests.rejoinder.parts.test_opened import flip

PAIRS = pl.DataFrame({"context": [["I love rain", "hi"], ["HI"]], "reply": ["you know", "i  love rain"]})


def test_spellings_of_one_turn_are_one() -> None:
    assert distinct_turns(PAIRS) == ["hi", "i love rain", "you know"]


def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes what is encoded."""
    seen: list[str] = []

    def encode(vectorizer: Vectorizer, texts: list[str], label: str) -> Vectors:
        seen.extend(texts)
        return vectorizer.encode(texts)

    monkeypatch.setattr("stages.common.encoding.encode_all", encode)
    return seen


@pytest.mark.parametrize(
    "harm", ["none", "other model", "other form", "cut", "a bit", "other length", "no keys", "about"]
)
def test_only_what_is_new_is_encoded_and_what_is_gone_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    build_model(tmp_path / "model")
    vectorizer, _ = open_model(tmp_path / "model")
    old, new = ["a", "hello", "hi"], ["hello", "hi", "home"]
    write_turns_of(tmp_path / "turns", vectorizer, old)
    if harm == "other model":
        build_model(tmp_path / "other", seed=1)
        vectorizer, _ = open_model(tmp_path / "other")
    elif harm == "other form":
        vectorizer.execution = replace(vectorizer.execution, form="int8")
    elif harm == "a bit":
        flip(tmp_path / "turns" / "vectors.npy", 0.9)
    elif harm == "other length":
        write_table(tmp_path / "turns", old, np.ones((3, 48), np.float32), FILES)
        path = tmp_path / "turns" / "turns.json"
        sha = {name: digest_file(tmp_path / "turns" / name) for name in (FILES.keys, FILES.vectors)}
        path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": sha, "dim": 48}))
    elif harm == "cut":
        path = tmp_path / "turns" / "vectors.npy"
        path.write_bytes(path.read_bytes()[:-9])
    elif harm == "no keys":
        (tmp_path / "turns" / "keys.npy").unlink()
    elif harm == "about":
        (tmp_path / "turns" / "turns.json").write_text("[]")
    seen = encoded(monkeypatch)
    found = encode_new(vectorizer, new, tmp_path / "turns")
    assert seen == (["home"] if harm == "none" else new)
    np.testing.assert_allclose(found, vectorizer.encode(new), atol=1e-3)
    write_turns_of(tmp_path / "again", vectorizer, new, found)
    assert len(TurnVectors(tmp_path / "again", vectorizer.id).table) == len(new)


def test_kept_vectors_are_the_same_bytes(tmp_path: Path) -> None:
    build_model(tmp_path / "model")
    vectorizer, _ = open_model(tmp_path / "model")
    texts = ["hello", "hi", "home"]
    write_turns_of(tmp_path / "one", vectorizer, texts)
    write_turns_of(tmp_path / "two", vectorizer, texts, encode_new(vectorizer, texts, tmp_path / "one"))
    assert (tmp_path / "one" / "vectors.npy").read_bytes() == (tmp_path / "two" / "vectors.npy").read_bytes()


def write_turns_of(
    directory: Path, vectorizer: Vectorizer, texts: list[str], vectors: Vectors | None = None
) -> None:
    directory.mkdir()
    write_turns(directory, vectorizer, texts, vectorizer.encode(texts) if vectors is None else vectors)


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
