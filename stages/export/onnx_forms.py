"""ONNX forms of an encoder: one exported graph, and its fp16 and 8-bit versions, each a single clean file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import onnx
import torch

from stages.training.encoder import SentenceEncoder
from stages.training.onnx_files import export_onnx, save_clean


def export_fp32(encoder: SentenceEncoder, path: Path) -> None:
    """Export the encoder with free batch and length.

    Args:
        encoder: in evaluation mode.
        path: the file to write.
    """
    tokens = torch.ones(2, 8, dtype=torch.long)
    both = {0: "rows", 1: "tokens"}
    export_onnx(encoder, {"input_ids": (tokens, both), "attention_mask": (tokens, both)}, path)


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
