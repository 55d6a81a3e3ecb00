"""Graph: computes what the model computes, in any number of steps; int4 costs less than rounding would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rejoinder.parts.decoder import Decoder, Shape
from rejoinder.release.forms import CPU
from stages.common.errors import ParamsError
from stages.generator.graph import write_graph
from stages.generator.model import BLOCK, Graph, check_kind
from stages.generator.quantize import Quantized, quantize
from tests.stages.generator.tiny import tiny_llama

CHOICES = torch.arange(3, 300, 2)
IDS = torch.tensor([[7, 19, 200, 31, 5, 88, 120, 9, 44, 17]])


def tiny_qwen2() -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=330, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=96, max_position_embeddings=256, tie_word_embeddings=False,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config).eval()
    for layer in model.model.layers:  # made from scratch they are zeros
        for part in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj):
            torch.nn.init.normal_(part.bias)
    return model


def shape_of(model: Any) -> Shape:
    graph = Graph(model, CHOICES)
    return Shape(len(graph.layers), graph.kv_heads, graph.dim, model.config.hidden_size, len(CHOICES))


def embedded(model: Any, ids: torch.Tensor) -> Any:
    return model.get_input_embeddings()(ids).detach().numpy()


@torch.inference_mode()
def expected(model: Any, ids: torch.Tensor) -> Any:
    return model(ids).logits[..., CHOICES].numpy()


@pytest.mark.parametrize("make", [tiny_llama, tiny_qwen2])
def test_the_graph_computes_what_the_model_does_in_steps_of_any_size(make: Any, tmp_path: Path) -> None:
    model = make()
    write_graph(tmp_path / "plain.onnx", model, CHOICES, "fp32")
    decoder = Decoder(tmp_path / "plain.onnx", CPU, shape_of(model))
    whole = expected(model, IDS)
    first, read = decoder.read(embedded(model, IDS[:, :6]))
    np.testing.assert_allclose(first, whole[:, 5], atol=1e-4)
    two = embedded(model, IDS[:, 6:7].repeat(2, 1))
    second, known = decoder.step(two, read, None)
    third, _ = decoder.step(embedded(model, IDS[:, 7:8].repeat(2, 1)), read, known)
    np.testing.assert_allclose(second, whole[[0, 0], 6], atol=1e-4)
    np.testing.assert_allclose(third, whole[[0, 0], 7], atol=1e-4)
    scored = decoder.score(embedded(model, IDS[:, 6:]), read, np.ones((1, 4), np.float32))
    np.testing.assert_allclose(scored, whole[:, 6:], atol=1e-4)


def test_what_is_padding_changes_nothing(tmp_path: Path) -> None:
    model = tiny_llama()
    write_graph(tmp_path / "plain.onnx", model, CHOICES, "fp32")
    decoder = Decoder(tmp_path / "plain.onnx", CPU, shape_of(model))
    _, read = decoder.read(embedded(model, IDS[:, :6]))
    rows = torch.cat([IDS[:, 6:], torch.tensor([[120, 9, 300, 301]])])
    there = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], np.float32)
    scored = decoder.score(embedded(model, rows), read, there)
    alone = decoder.score(embedded(model, rows[1:, :2]), read, np.ones((1, 2), np.float32))
    np.testing.assert_allclose(scored[1:, :2], alone, atol=1e-5)
    np.testing.assert_allclose(scored[:1], expected(model, IDS)[:, 6:], atol=1e-4)


def test_int4_is_nearer_where_it_was_fitted_to_what_is_read(tmp_path: Path) -> None:
    torch.manual_seed(3)
    ways = torch.randn(6, 64)  # what is read has few directions: errors can make up for each other
    read, weight = torch.randn(500, 6) @ ways, torch.randn(48, 64)
    fitted = quantize(weight, read.T @ read).restored()
    rounded = quantize(weight, torch.zeros(64, 64)).restored()
    errors = [float((read @ (made - weight).T).pow(2).mean()) for made in (fitted, rounded)]
    assert errors[0] < 0.5 * errors[1]
    assert float((rounded - weight).abs().max()) < 0.6  # a fifteenth of the range, and what was cut of it


def test_the_graph_in_int4_computes_what_its_restored_weights_do(tmp_path: Path) -> None:
    model = tiny_llama()
    write_graph(tmp_path / "int4.onnx", model, CHOICES, "int4", [IDS[0].tolist(), IDS[0].flip(0).tolist()])
    plain = Decoder(tmp_path / "int4.onnx", CPU, shape_of(model))
    made, _ = plain.read(embedded(model, IDS))
    whole = expected(model, IDS)[:, -1]
    assert float(np.abs(made - whole).mean()) < 0.2 * float(np.abs(whole).mean())
    assert (tmp_path / "int4.onnx").stat().st_size < 100_000


def test_packed_numbers_are_read_back_by_the_engine(tmp_path: Path) -> None:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper, save

    from stages.generator.int4 import packed

    torch.manual_seed(0)
    matrix = Quantized(
        torch.randint(0, 16, (5, 3 * BLOCK)).to(torch.uint8), torch.rand(5, 3), torch.randint(0, 16, (5, 3)).byte()
    )
    names = ["x", "b", "s", "z"]
    node = helper.make_node(
        "MatMulNBits", names, ["y"], domain="com.microsoft", K=3 * BLOCK, N=5, bits=4, block_size=BLOCK
    )
    values = [numpy_helper.from_array(v, n) for n, v in zip(names[1:], packed(matrix), strict=True)]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "one",
        [info("x", TensorProto.FLOAT, ["n", 3 * BLOCK])],
        [info("y", TensorProto.FLOAT, ["n", 5])],
        values,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=10), str(tmp_path / "one.onnx"))
    session = onnxruntime.InferenceSession(tmp_path / "one.onnx")
    read = np.eye(3 * BLOCK, dtype=np.float32)
    np.testing.assert_allclose(session.run(None, {"x": read})[0].T, matrix.restored().numpy(), atol=1e-3)


def test_half_precision_runs_on_a_processor_too(tmp_path: Path) -> None:
    model = tiny_llama()
    write_graph(tmp_path / "fp16.onnx", model, CHOICES, "fp16")
    made, _ = Decoder(tmp_path / "fp16.onnx", CPU, shape_of(model)).read(embedded(model, IDS))
    np.testing.assert_allclose(made, expected(model, IDS)[:, -1], atol=1e-2)


def test_a_model_of_another_kind_is_refused_by_name() -> None:
    from transformers import GPT2Config, LlamaConfig

    with pytest.raises(ParamsError, match="gpt2"):
        check_kind(GPT2Config())
    with pytest.raises(ParamsError, match="gelu"):
        check_kind(LlamaConfig(hidden_act="gelu"))
    with pytest.raises(ParamsError, match="multiples of 32"):
        check_kind(LlamaConfig(hidden_size=40, intermediate_size=64, num_attention_heads=4))


def test_a_model_in_training_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="training mode"):
        write_graph(tmp_path / "plain.onnx", tiny_llama().train(), CHOICES, "fp32")
