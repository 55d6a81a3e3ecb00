"""Vectors are kept while nothing changes that decides them, and what is not asked for again is forgotten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rejoinder.parts.arrays import Vectors
from stages.benchmark import vectors as room
from stages.benchmark.vectors import Remembered

TEXTS = ["hi", "how are you"]


class Encoder:
    """Counts how often it has to run."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, texts: list[str]) -> Vectors:
        self.runs += 1
        return np.full((len(texts), 4), self.runs, np.float32)


def test_the_same_encoder_on_the_same_texts_runs_once(tmp_path: Path) -> None:
    encoder = Encoder()
    for _ in range(2):
        found = Remembered(tmp_path).encoder(["weights", "engine"], encoder)(TEXTS)
        assert found.tolist() == [[1.0] * 4] * 2
    assert encoder.runs == 1


@pytest.mark.parametrize(
    ("identity", "texts"),
    [(["other", "engine"], TEXTS), (["weights", "newer"], TEXTS), (["weights", "engine"], TEXTS[:1])],
)
def test_anything_else_runs_again(tmp_path: Path, identity: list[str], texts: list[str]) -> None:
    encoder = Encoder()
    Remembered(tmp_path).encoder(["weights", "engine"], encoder)(TEXTS)
    Remembered(tmp_path).encoder(identity, encoder)(texts)
    assert encoder.runs == 2


def test_another_normalisation_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder()
    Remembered(tmp_path).encoder(["weights"], encoder)(TEXTS)
    monkeypatch.setattr(room, "NORMALIZATION_VERSION", "another")
    Remembered(tmp_path).encoder(["weights"], encoder)(TEXTS)
    assert encoder.runs == 2


@pytest.mark.parametrize("damage", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    encoder = Encoder()
    Remembered(tmp_path).encoder(["weights"], encoder)(TEXTS)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    Remembered(tmp_path).encoder(["weights"], encoder)(TEXTS)
    assert encoder.runs == 2
    assert np.load(file).tolist() == [[2.0] * 4] * 2


def test_what_is_not_asked_for_is_forgotten(tmp_path: Path) -> None:
    first = Remembered(tmp_path)
    for texts in (TEXTS, ["somebody who was erased"]):
        first.encoder(["weights"], Encoder())(texts)
    second = Remembered(tmp_path)
    second.encoder(["weights"], Encoder())(TEXTS)
    second.forget_the_rest()
    assert len(list(tmp_path.iterdir())) == 1
    assert b"erased" not in next(tmp_path.iterdir()).read_bytes()
