"""ONNX forms of an encoder: one exported graph, and its fp16 and 8-bit versions, each a single clean file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch

from stages.training.encoder import SentenceEncoder

OPSET = 18
INPUTS = ("input_ids", "attention_mask")


def export_fp32(encoder: SentenceEncoder, path: Path) -> None:
    """Export the encoder with free batch and length.

    Args:
        encoder: in evaluation mode.
        path: the file to write.

    Raises:
        RuntimeError: if the encoder or a part of it is in training mode before or after: dropout would be
            exported with it.
    """
    _require_eval(encoder)
    tokens = torch.ones(2, 8, dtype=torch.long)
    free = {name: {0: "rows", 1: "tokens"} for name in INPUTS}
    # The tracer warns of values it fixes; parity on texts of other lengths shows that none of ours matters.
    with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            encoder, (tokens, tokens), str(path), dynamo=False, opset_version=OPSET, input_names=list(INPUTS),
            output_names=["vectors"], dynamic_axes={**free, "vectors": {0: "rows"}},
        )  # fmt: skip
    _require_eval(encoder)
    save_clean(onnx.load(path), path)


def _require_eval(encoder: SentenceEncoder) -> None:
    if any(part.training for part in encoder.modules()):
        raise RuntimeError("the encoder is in training mode: expected evaluation mode around an export")


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


def to_fp16(source: Path, target: Path) -> None:
    """Convert weights and arithmetic to fp16; inputs and outputs keep their types."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(onnx.load(source), keep_io_types=True, disable_shape_infer=True)
    save_clean(model, target)


def to_int8(source: Path, target: Path) -> None:
    """Quantise the weights to int8 per channel; activations are quantised at run time."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), per_channel=True, weight_type=QuantType.QInt8)
    save_clean(onnx.load(target), target)


def to_weights8(source: Path, target: Path) -> None:
    """Keep activations fp32 and store matrices in 8 bit, one scale a block of 32 weights."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(source), bits=8, block_size=32, is_symmetric=True, accuracy_level=4)
    quantizer.process()
    save_clean(quantizer.model.model, target)


#: How to make each form from the fp32 one.
CONVERTERS: Mapping[str, Callable[[Path, Path], None]] = {
    "fp16": to_fp16,
    "int8": to_int8,
    "weights8": to_weights8,
}
