"""The context is read once, and scores are those of one pass over all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rejoinder.parts.engines import open_engine
from rejoinder.parts.ranker import KINDS, KNOWN, SCORES, THERE, TOKENS
from rejoinder.release.forms import CPU
from stages.ranker.bundle import write_graph
from stages.ranker.model import ContextOnce, Graph, Pairs
from tests.stages.ranker.tiny import LAYERS, VOCABULARY, tiny_bert, tiny_ranker

CONTEXTS = torch.tensor([[2, 7, 8, 3, 9, 3], [2, 20, 21, 3, 0, 0]])
OWN = torch.tensor([[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]])
REPLIES = torch.tensor([[[2, 9, 3, 0, 0], [2, 11, 12, 13, 3], [2, 3, 0, 0, 0]], [[2, 9, 3, 0, 0]] * 3])


@pytest.fixture(scope="module")
def model() -> ContextOnce:
    return tiny_ranker(outputs=2)


def scores(model: ContextOnce, contexts: Tensor, own: Tensor, replies: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(contexts, own, replies)
    return found


def test_two_passes_of_one_graph_score_as_one_pass_over_all(model: ContextOnce) -> None:
    expected = scores(model, CONTEXTS, OWN, REPLIES)
    assert expected.shape == (2, 3, 2)
    graph = Graph(model).eval()
    nothing = torch.zeros(2 * len(model.layers), model.heads, 0, model.width // model.heads)
    for row, replies in enumerate(REPLIES):
        asked = CONTEXTS[row][CONTEXTS[row] != 0][None]
        with torch.inference_mode():
            own = OWN[row, : asked.shape[1]][None]
            _, known = graph(nothing, model.words(asked), own, torch.ones(asked.shape))
            found, _ = graph(known, model.words(replies), torch.ones_like(replies), (replies != 0).float())
        assert known.shape[2] == asked.shape[1]
        torch.testing.assert_close(found, expected[row], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("is_int8", "most"), [(False, 1e-4), (True, 0.2)])
def test_the_exported_graph_scores_as_the_model_does(
    model: ContextOnce, tmp_path: Path, is_int8: bool, most: float
) -> None:
    write_graph(tmp_path / "ranker.onnx", model, is_int8=is_int8)
    engine = open_engine(tmp_path / "ranker.onnx", CPU)
    words = model.words.weight.detach().numpy()

    def run(known: np.ndarray, ids: np.ndarray, kinds: np.ndarray) -> dict[str, np.ndarray]:
        there = (ids != 0).astype(np.float32)
        return engine.run_all({KNOWN: known, TOKENS: words[ids], KINDS: kinds, THERE: there})

    nothing = np.zeros((2 * len(model.layers), model.heads, 0, model.width // model.heads), np.float32)
    known = run(nothing, CONTEXTS[:1].numpy(), OWN[:1].numpy())[f"new_{KNOWN}"]
    replies = REPLIES[0].numpy()
    found = run(known, replies, np.ones_like(replies))[SCORES]
    expected = scores(model, CONTEXTS, OWN, REPLIES)[0].numpy()
    assert np.ptp(expected, axis=0).min() > 0.4
    assert np.abs(found - expected).max() < most


def test_a_model_in_training_mode_is_not_exported(tmp_path: Path) -> None:
    training = tiny_ranker().train()
    with pytest.raises(RuntimeError, match="training mode"):
        write_graph(tmp_path / "ranker.onnx", training)
    assert not (tmp_path / "ranker.onnx").exists()


def test_a_reply_scores_the_same_whatever_stands_beside_it(model: ContextOnce) -> None:
    together = scores(model, CONTEXTS, OWN, REPLIES)
    for number in range(REPLIES.shape[1]):
        alone = scores(model, CONTEXTS, OWN, REPLIES[:, number : number + 1])
        torch.testing.assert_close(alone[:, 0], together[:, number], atol=1e-5, rtol=0)
    assert not torch.allclose(together[0, 0], together[0, 1], atol=1e-3)


def test_where_there_is_no_token_nothing_is_read(model: ContextOnce) -> None:
    expected = scores(model, CONTEXTS[1:, :4], OWN[1:, :4], REPLIES[1:, :, :3])
    kinds = torch.cat([OWN[1:, :4], torch.tensor([[1, 1]])], 1)
    padded = scores(model, CONTEXTS[1:], kinds, REPLIES[1:])
    torch.testing.assert_close(padded, expected, atol=1e-5, rtol=0)
    in_a_batch = scores(model, CONTEXTS, OWN, REPLIES)[1:]
    torch.testing.assert_close(in_a_batch, expected, atol=1e-5, rtol=0)


def test_the_context_and_who_said_it_make_a_difference(model: ContextOnce) -> None:
    expected = scores(model, CONTEXTS, OWN, REPLIES)
    assert not torch.allclose(scores(model, CONTEXTS, 1 - OWN, REPLIES), expected, atol=1e-3)
    assert not torch.allclose(scores(model, CONTEXTS.flip(0), OWN, REPLIES), expected, atol=1e-3)


def test_words_are_not_trained_and_the_layers_are() -> None:
    model = tiny_ranker()
    model(CONTEXTS, OWN, REPLIES).sum().backward()
    assert model.words.weight.grad is None
    assert all(part.grad is not None for part in model.layers.parameters())


def test_layers_are_taken_in_the_order_that_was_asked_for() -> None:
    bert = tiny_bert()
    model = ContextOnce(bert, [2, 0], 1)
    assert [layer is bert.encoder.layer[n] for layer, n in zip(model.layers, (2, 0), strict=True)] == [True, True]


def test_the_plain_cross_encoder_of_the_same_body_runs() -> None:
    pairs = Pairs(tiny_bert(), 2).eval()
    assert len(pairs.once.layers) == LAYERS
    assert int(max(CONTEXTS.max(), REPLIES.max())) < VOCABULARY
    with torch.inference_mode():
        found, other = pairs(CONTEXTS, OWN, REPLIES), pairs(CONTEXTS.flip(0), OWN.flip(0), REPLIES)
    assert found.shape == (2, 3, 2)
    assert torch.isfinite(found).all()
    assert not torch.allclose(found, other, atol=1e-4)
    torch.testing.assert_close(found[1, 0], found[1, 2])  # one reply, thrice
