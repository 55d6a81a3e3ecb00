"""Heads learn what answers what, the same ones by the same seed, and are served as they were trained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from rejoinder.parts.heads import Contexts, open_heads
from rejoinder.parts.opened import open_model
from rejoinder.release.manifest import read_manifest
from stages.common.errors import DataError, ParamsError
from stages.common.turn_vectors import TurnVectors, write_turns
from stages.heads.model import MIXERS, HeadsModel
from stages.heads.pairs import PairRows, pair_rows
from stages.heads.stage import Params, first_axes, train_heads, write_bundle
from stages.heads.validation import heads_r_at_1
from stages.training.lightning_module import TrainedModule
from tests.bundles import DIM, build_model

WHO = "sha256:" + "1" * 64
MAKER: Any = SimpleNamespace(id=WHO, execution="fp16 on a machine")
PARAMS = Params(
    kind="mlp", turns=3, dim=16, hidden=32, dropout=0.1, batch_size=64, learning_rate=5e-3, warmup_steps=2,
    scale=20.0, max_steps=60, validate_every=20, patience=3, seed=1,
)  # fmt: skip


def unit(rows: Any) -> Any:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def pairs() -> pl.DataFrame:
    """Talks in which what answers a turn depends on it, and on who said the one before."""
    rng = np.random.default_rng(0)
    made = []
    for n in range(1200):
        first, second, own = int(rng.integers(30)), int(rng.integers(30)), bool(rng.integers(2))
        context, owned = [f"say {first}", f"ask {second}"], [own, False]
        if n % 7 == 0:
            context, owned = context[1:], owned[1:]
        made.append({
            "pair_id": f"p/{n}", "split": "validation" if n % 5 == 0 else "train", "context": context,
            "context_own": owned, "reply": f"reply {second + 30 * own}",
        })  # fmt: skip
    return pl.DataFrame(made)


@pytest.fixture(scope="module")
def turns(pairs: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> TurnVectors:
    """Vectors at random, two whole numbers long enough to tell any turn."""
    texts = sorted({*pairs["context"].explode(), *pairs["reply"]})
    folder = tmp_path_factory.mktemp("turns")
    write_turns(folder, MAKER, texts, unit(np.random.default_rng(1).standard_normal((len(texts), 32))))
    return TurnVectors(folder, WHO)


@pytest.fixture
def source(pairs: pl.DataFrame, tmp_path: Path) -> Path:
    pairs.write_parquet(tmp_path / "pairs.parquet")
    return tmp_path / "pairs.parquet"


def trained(
    params: Params, turns: TurnVectors, source: Path, directory: Path
) -> tuple[HeadsModel, dict[str, float]]:
    directory.mkdir()
    return train_heads(params, turns, pl.read_parquet(source), source, directory)


@pytest.mark.parametrize("kind", list(MIXERS))
def test_each_kind_starts_from_its_skips_and_learns(
    kind: Any, turns: TurnVectors, source: Path, tmp_path: Path
) -> None:
    params = PARAMS.model_copy(update={"kind": kind})
    _, metrics = trained(params, turns, source, tmp_path / "heads")
    assert metrics["r_at_1"] > 2 * max(metrics["untrained_r_at_1"], 0.01)
    assert {path.name for path in (tmp_path / "heads").iterdir()} >= {"loss.json", "validation.json"}


def test_the_same_seed_makes_the_same_heads_and_another_does_not(
    turns: TurnVectors, source: Path, tmp_path: Path
) -> None:
    few = PARAMS.model_copy(update={"max_steps": 5, "validate_every": 5})
    weights = [
        trained(few.model_copy(update={"seed": seed}), turns, source, tmp_path / name)[0].state_dict()
        for name, seed in (("one", 1), ("again", 1), ("other", 2))
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_gaps_and_owners_are_where_the_head_reads_them(pairs: pl.DataFrame, turns: TurnVectors) -> None:
    rows = pair_rows(pairs, turns, 3)
    vectors, mask, own = rows.turns([0, 1])
    assert mask.tolist() == [[0, 0, 1], [0, 1, 1]]
    assert own[1].tolist() == [0, float(pairs["context_own"][1][0]), 0]
    assert not vectors[0, :2].any()
    np.testing.assert_allclose(vectors[1, 1:].numpy(), turns.of(pairs["context"][1].to_list()), atol=1e-3)
    np.testing.assert_allclose(rows.reply_turns([1]).numpy(), turns.of([pairs["reply"][1]]), atol=1e-3)


def test_earlier_turns_than_the_head_reads_are_left_out(pairs: pl.DataFrame, turns: TurnVectors) -> None:
    vectors, mask, _ = pair_rows(pairs, turns, 1).turns([1])
    assert mask.tolist() == [[1]]
    np.testing.assert_allclose(vectors[0].numpy(), turns.of([pairs["context"][1][-1]]), atol=1e-3)


@pytest.mark.parametrize("kind", list(MIXERS))
def test_a_gap_says_nothing(kind: str) -> None:
    torch.manual_seed(0)
    model = HeadsModel(kind, 3, np.eye(12, dtype=np.float32), hidden=8, dropout=0.0, scale=1.0).eval()
    for part in model.parameters():
        torch.nn.init.normal_(part, std=0.3)
    mask = torch.tensor([[0.0, 0.0, 1.0]])
    turns = torch.randn(1, 3, 12) * mask[..., None]
    alone, other = (model.context(turns, mask, own) for own in (torch.zeros(1, 3), torch.tensor([[1.0, 1.0, 0.0]])))
    assert torch.allclose(alone.norm(dim=-1), torch.ones(1))
    assert torch.equal(alone, other)
    assert not torch.allclose(alone, model.context(turns, mask, torch.tensor([[0.0, 0.0, 1.0]])))


def test_heads_that_are_not_trained_are_the_vectors_themselves(pairs: pl.DataFrame, turns: TurnVectors) -> None:
    rows = pair_rows(pairs, turns, 1)
    model = HeadsModel("mlp", 1, first_axes(turns, rows, 32), hidden=8, dropout=0.0, scale=1.0).eval()
    found = model.reply(rows.reply_turns([3])).detach().numpy()
    np.testing.assert_allclose(found, turns.of([pairs["reply"][3]]), atol=0.05)


def test_compressing_heads_start_at_the_principal_axes(pairs: pl.DataFrame, turns: TurnVectors) -> None:
    axes = first_axes(turns, pair_rows(pairs, turns, 1), 16)
    np.testing.assert_allclose(axes @ axes.T, np.eye(16), atol=1e-4)


def test_heads_longer_than_turns_are_refused(pairs: pl.DataFrame, turns: TurnVectors) -> None:
    with pytest.raises(ParamsError, match=r"heads\.dim: expected at most the encoder's 32, got 48"):
        first_axes(turns, pair_rows(pairs, turns, 1), 48)


def test_a_dimension_that_is_slow_to_search_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        Params(**{**PARAMS.model_dump(), "dim": 40})


def test_an_equal_reply_does_not_compete_and_a_tie_is_wrong(pairs: pl.DataFrame, turns: TurnVectors) -> None:
    rows = pair_rows(pairs, turns, 1)
    model = HeadsModel("mlp", 1, np.eye(32, dtype=np.float32), hidden=8, dropout=0.0, scale=1.0)
    echoes = PairRows(rows.ids, rows.vectors, rows.replies[:, None], rows.own, rows.replies, rows.keys)
    for network in (model.context.network, model.reply.network):
        network[-1].weight.data.zero_()  # type: ignore[operator]
    assert heads_r_at_1(model, echoes, 1) == 1.0
    same = PairRows(rows.ids, rows.vectors * 0 + 1, rows.contexts, rows.own, rows.replies, torch.arange(len(rows)))
    assert heads_r_at_1(model, same, 1) == 0.0


def test_too_few_validation_pairs_are_said(
    pairs: pl.DataFrame, turns: TurnVectors, source: Path, tmp_path: Path
) -> None:
    few = pl.concat([pairs.filter(split="train"), pairs.filter(split="validation")[:99]])
    with pytest.raises(DataError, match="expected at least 100 validation pairs to choose heads by, got 99"):
        train_heads(PARAMS, turns, few, source, tmp_path)


def test_turns_of_another_vectorizer_are_refused(turns: TurnVectors, tmp_path: Path) -> None:
    write_turns(tmp_path, MAKER, ["hi"], unit(np.ones((1, 32))))
    with pytest.raises(DataError, match=r"expected turns by vectorizer sha256:2.*dvc repro turns"):
        TurnVectors(tmp_path, "sha256:" + "2" * 64)


def test_a_turn_without_a_vector_is_counted_not_shown(turns: TurnVectors) -> None:
    with pytest.raises(DataError, match="got none for 1 of 2") as caught:
        turns.of(["say 1", "never said"])
    assert "never said" not in str(caught.value)


def test_a_loss_that_is_no_number_stops_and_names_step_and_rows() -> None:
    model = torch.nn.Linear(1, 1)
    module = TrainedModule(model, lambda m, _: m.weight.sum() * float("nan"), PARAMS, lambda: 0.0, ["a/1", "b/2"])
    with pytest.raises(DataError, match=r"got nan at step 0 over 2 pairs \(b/2, a/1, \.\.\.\)"):
        module.training_step(([1, 0], None), 0)


def test_what_is_served_is_what_was_trained(pairs: pl.DataFrame, tmp_path: Path) -> None:
    build_model(tmp_path / "model")
    vectorizer, _ = open_model(tmp_path / "model")
    params = PARAMS.model_copy(update={"turns": 2})
    torch.manual_seed(0)
    for kind in MIXERS:
        axes = np.eye(16, DIM, dtype=np.float32)
        model = HeadsModel(kind, 2, axes, hidden=8, dropout=0.1, scale=1.0).eval()
        for part in model.parameters():
            torch.nn.init.normal_(part, std=0.2)
        write_bundle(tmp_path / kind, model, vectorizer, params)
        heads = open_heads(tmp_path / kind, read_manifest(tmp_path / kind), DIM)
        laid = Contexts(5, 2, DIM)
        said = vectorizer.encode(["i love rain", "you know"])
        for row in range(5):
            laid.put(row, said[: row % 3], [True, False][: row % 3])
        expected = model.context(*map(torch.from_numpy, (laid.turns, laid.mask, laid.own)))
        np.testing.assert_allclose(heads.contexts(laid), expected.detach().numpy(), atol=1e-5)
        replies = model.reply(torch.from_numpy(said)).detach().numpy()
        np.testing.assert_allclose(heads.replies(said), replies, atol=1e-5)
