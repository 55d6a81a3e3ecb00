"""ONNX files of trained models: what every export shares."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

OPSET = 18
OUTPUT = "vectors"


def export_onnx(model: nn.Module, inputs: Mapping[str, tuple[Tensor, dict[int, str]]], path: Path) -> None:
    """Export a model that makes vectors, with a free number of rows.

    Args:
        model: in evaluation mode.
        inputs: an example of each input, and the names of its free axes, by name.
        path: the file to write.

    Raises:
        RuntimeError: if the model or a part of it is in training mode before or after: dropout would be exported
            with it.
    """
    _require_eval(model)
    free = {name: axes for name, (_, axes) in inputs.items()}
    # The tracer warns of values it fixes; parity on inputs of other shapes shows that none of ours matters.
    with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            model, tuple(example for example, _ in inputs.values()), str(path), dynamo=False, opset_version=OPSET,
            input_names=list(inputs), output_names=[OUTPUT], dynamic_axes={**free, OUTPUT: {0: "rows"}},
        )  # fmt: skip
    _require_eval(model)
    save_clean(onnx.load(path), path)


def _require_eval(model: nn.Module) -> None:
    if any(part.training for part in model.modules()):
        raise RuntimeError("the model is in training mode: expected evaluation mode around an export")


def save_clean(model: Any, path: Path) -> None:
    """Write a model as one file without anything that tells where or how it was made.

    Args:
        model: an ONNX model; changed in place.
        path: the file to write.
    """
    for part in (model, model.graph):
        part.doc_string = ""
        del part.metadata_props[:]
    model.producer_name = model.producer_version = ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
