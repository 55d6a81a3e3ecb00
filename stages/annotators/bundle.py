"""Bundle: fitted heads -> one ONNX model with an output a head, its probes and manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rejoinder.parts import ANNOTATORS
from rejoinder.parts.annotators import INPUT, MODEL, Annotators, facts_of, write_probes
from rejoinder.parts.probes import TEXTS
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.release.manifest import write_manifest
from stages.annotators.heads import Head

_OPSET, _IR = 18, 8


def write_bundle(
    bundle: Path, heads: Mapping[str, Head], about: Mapping[str, Mapping[str, Any]], vectorizer: Vectorizer
) -> None:
    """Write the bundle.

    Args:
        bundle: directory to make.
        heads: fitted ones, by name.
        about: each of them: `labels`, `is_weak`.
        vectorizer: made the vectors that they were fitted on.
    """
    bundle.mkdir()
    write_model(bundle / MODEL, heads, vectorizer.dim)
    write_probes(bundle, Annotators(bundle, about, vectorizer.dim), vectorizer.encode(TEXTS))
    write_manifest(bundle, ANNOTATORS.bundle, vectorizer.id, facts_of(about))


def write_model(path: Path, heads: Mapping[str, Head], dim: int) -> None:
    """Write heads as one ONNX model: turns -> a softmax of each.

    Args:
        path: the file.
        heads: by name, which is that of their output.
        dim: length of a turn's vector.
    """
    nodes, weights, outputs = [], [], []
    for name, head in heads.items():
        parts = {f"{name}.weights": head.weights, f"{name}.bias": head.bias}
        weights += [numpy_helper.from_array(np.ascontiguousarray(part, np.float32), n) for n, part in parts.items()]
        nodes.append(helper.make_node("Gemm", [INPUT, *parts], [f"{name}.scores"]))
        nodes.append(helper.make_node("Softmax", [f"{name}.scores"], [name], axis=1))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", len(head.bias)]))
    turns = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["rows", dim])
    graph = helper.make_graph(nodes, ANNOTATORS.name, [turns], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
