"""Int4: puts quantized matrices into an ONNX graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.generator.model import BLOCK

if TYPE_CHECKING:
    from torch import Tensor

    from stages.generator.quantize import Quantized

_DOMAIN = "com.microsoft"
_IN_INT8 = 4  # activations are rounded to int8, block by block: ONNX Runtime's fastest kernels


def with_int4(model: Any, matrices: Mapping[str, Quantized]) -> Any:
    """Replace products with plain matrices by ONNX Runtime's with int4 ones (`MatMulNBits`).

    Args:
        model: exported by torch, whose nodes are named by the modules that they come from; changed in place.
        matrices: by name of the module.

    Returns:
        The model.

    Raises:
        RuntimeError: if a matrix has no product in the graph.
    """
    from onnx import helper, numpy_helper

    wanted = {f"/{'/'.join(name.rsplit('.', 1))}/MatMul": name for name in matrices}  # "/layers.0/up/MatMul"
    replaced = []
    for node in model.graph.node:
        name = wanted.get(node.name)
        if name is None:
            continue
        values = dict(zip((f"{name}.int4", f"{name}.scales", f"{name}.zeros"), packed(matrices[name]), strict=True))
        model.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in values.items())
        out, size = matrices[name].whole.shape
        product = helper.make_node(
            "MatMulNBits", [node.input[0], *values], list(node.output), node.name, domain=_DOMAIN,
            K=size, N=out, bits=4, block_size=BLOCK, accuracy_level=_IN_INT8,
        )  # fmt: skip
        replaced.append((name, node.input[1]))
        node.CopyFrom(product)
    if missing := set(matrices) - {name for name, _ in replaced}:
        raise RuntimeError(f"no product in the graph for {sorted(missing)}")
    plain = {weight for _, weight in replaced}
    kept = [value for value in model.graph.initializer if value.name not in plain]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    return model


def packed(matrix: Quantized) -> tuple[np.ndarray[Any, Any], ...]:
    """Pack a matrix as `MatMulNBits` reads it.

    Args:
        matrix: [out, in] in int4.

    Returns:
        uint8 [out, blocks, 16], two numbers a byte, the first one in the lower half; float32 [out, blocks]; and
        uint8 [out, half of the blocks, rounded up].
    """
    blocks = matrix.whole.reshape(len(matrix.whole), -1, BLOCK)
    return _halves(blocks), matrix.scales.numpy().astype(np.float32), _halves(matrix.zeros)


def _halves(numbers: Tensor) -> np.ndarray[Any, Any]:
    values = numbers.numpy().astype(np.uint8)
    if values.shape[-1] % 2:
        values = np.concatenate([values, np.zeros((*values.shape[:-1], 1), np.uint8)], -1)
    halves: np.ndarray[Any, Any] = values[..., ::2] | (values[..., 1::2] << 4)
    return np.ascontiguousarray(halves)
