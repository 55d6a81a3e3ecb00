"""Graph: a model -> one form of the ONNX graph that `rejoinder.parts.decoder` runs."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import torch
from torch import Tensor

from rejoinder.parts.decoder import INPUTS, KNOWN, LOGITS, NEW, OUTPUTS, PREFIX, THERE, TOKENS
from stages.generator.int4 import with_int4
from stages.generator.model import Graph
from stages.generator.quantize import Windows, fit
from stages.training.onnx_files import OPSET, save_clean

if TYPE_CHECKING:
    from transformers import PreTrainedModel

INT4, FP16, FP32 = "int4", "fp16", "fp32"


def write_graph(path: Path, model: PreTrainedModel, choices: Tensor, form: str, windows: Windows = ()) -> None:
    """Export one form of a model.

    Args:
        path: the file to write.
        model: in evaluation mode.
        choices: int64 [v], tokens that have an output.
        form: int4, fp16 or fp32.
        windows: token ids of some dialogues, which int4 is made to fit.

    Raises:
        RuntimeError: if the model is in training mode: dropout would be exported with it.
    """
    if model.training:
        raise RuntimeError("the generator is in training mode: expected evaluation mode around an export")
    graph = Graph(model, choices).float().eval()
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        _export(graph, plain, model.config.hidden_size)
        made = onnx.load(plain)
    if form == FP16:
        made = _halved(made)
    elif form == INT4:
        fitted = fit(graph, model.get_input_embeddings().weight.detach(), windows)
        made = with_int4(made, fitted)
    save_clean(made, path)


def _halved(plain: Any) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    made = OnnxModel(convert_float_to_float16(plain, keep_io_types=True))
    made.topological_sort()  # it puts casts behind those who need them
    return made.model


def _export(graph: Graph, path: Path, width: int) -> None:
    layers, cells = 2 * len(graph.layers), (graph.kv_heads, 3, graph.dim)
    example = (
        *(torch.zeros(2, 2, width), torch.zeros(layers, 1, *cells), torch.zeros(layers, 2, *cells)),
        *(torch.ones(2, 5), torch.tensor([1])),
    )
    free = {TOKENS: {0: "rows", 1: "new"}, PREFIX: {3: "read"}, KNOWN: {1: "rows", 3: "known"}}
    free |= {THERE: {0: "rows", 1: "every"}, LOGITS: {0: "rows", 1: "wanted"}, NEW: {1: "rows", 3: "every"}}
    with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            graph, example, str(path), dynamo=False, opset_version=OPSET,
            input_names=list(INPUTS), output_names=list(OUTPUTS), dynamic_axes=free,
        )  # fmt: skip
