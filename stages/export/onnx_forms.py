"""ONNX forms of an encoder, each a single clean file: fp32, and fp16, which is half as large and as exact.

fp16 stores weights in half precision and computes in single: on CPUs, whose arithmetic is no faster in half, both
engines then make the very vectors of fp32. The word table, half of a small encoder, is stored in 8 bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from stages.training.encoder import SentenceEncoder
from stages.training.onnx_files import export_onnx, save_clean

_LARGE = 1024  # values; what is smaller stays as it is
_BLOCK = 64  # values of a word's vector that share a scale
_WORDS = 10_000  # rows of a table that is looked up by token: of all matrices only the words' has so many
_SINGLE = TensorProto.FLOAT


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
    """Store weights in half precision and the word table in 8 bits; arithmetic, inputs and outputs stay single.

    Args:
        source: the fp32 form.
        target: the file to write.
    """
    model = onnx.load(source)
    graph = model.graph
    for weights in [w for w in graph.initializer if w.data_type == _SINGLE]:
        values = numpy_helper.to_array(weights)
        if values.size < _LARGE:
            continue
        graph.initializer.remove(weights)
        readers = [node for node in graph.node if weights.name in node.input]
        is_table = values.ndim == 2 and len(values) >= _WORDS and values.shape[1] % _BLOCK == 0
        if is_table and [node.op_type for node in readers] == ["Gather"]:
            _store_table(graph, readers[0], weights.name, values)
        else:
            _store_half(graph, weights.name, values)
    save_clean(model, target)


def _store_half(graph: Any, name: str, values: np.ndarray[Any, Any]) -> None:
    """Keep a matrix in half precision; engines turn it into single once, when they load it."""
    graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
    graph.node.insert(0, helper.make_node("Cast", [f"{name}.half"], [name], to=_SINGLE, name=f"{name}.single"))


def _store_table(graph: Any, reader: Any, name: str, values: np.ndarray[Any, Any]) -> None:
    """Keep a table in 8 bits, one scale a block; only the rows that a text needs are ever turned into single."""
    blocks = values.reshape(len(values), -1, _BLOCK)
    scales = np.maximum(np.abs(blocks).max(2, keepdims=True) / 127, 1e-8).astype(np.float16)
    small = np.clip(np.round(blocks / scales.astype(np.float32)), -127, 127).astype(np.int8)
    constants = {
        "bytes": small,
        "scales": scales,
        "shape": np.array([0, 0, values.shape[1]], np.int64),  # 0: as the input's
    }
    graph.initializer.extend(numpy_helper.from_array(v, f"{name}.{key}") for key, v in constants.items())
    tokens, found = reader.input[1], reader.output[0]
    steps = [
        ("Gather", [f"{name}.bytes", tokens], f"{name}.row", {}),
        ("Gather", [f"{name}.scales", tokens], f"{name}.row_scales", {}),
        ("Cast", [f"{name}.row"], f"{name}.row_single", {"to": _SINGLE}),
        ("Cast", [f"{name}.row_scales"], f"{name}.scales_single", {"to": _SINGLE}),
        ("Mul", [f"{name}.row_single", f"{name}.scales_single"], f"{name}.blocks", {}),
        ("Reshape", [f"{name}.blocks", f"{name}.shape"], found, {}),
    ]
    place = list(graph.node).index(reader)
    graph.node.remove(reader)
    for offset, (kind, read, made, attributes) in enumerate(steps):
        node = helper.make_node(kind, read, [made], name=f"{made}.{kind}", **attributes)
        graph.node.insert(place + offset, node)
