"""A ranker in the words of the tests' tiny model: a graph of a few nodes, written without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rejoinder.parts.ranker import (
    GRAPH,
    KINDS,
    KNOWN,
    LIKELIHOOD,
    SCORES,
    THERE,
    TOKENS,
    WORDS,
    Ranker,
    write_probes,
)
from rejoinder.parts.reading import Reading
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.release.manifest import read_manifest, write_manifest

LAYERS, HEADS, WIDTH = 2, 2, 8
#: As `stages.ranker.bundle` writes them, but for ties.
FACTS: dict[str, Any] = {
    "context_tokens": 24,
    "reply_tokens": 12,
    "candidates": 5,
    "outputs": [LIKELIHOOD],
    "weights": [1.0],
    "temperature": 1.0,
    "layers": LAYERS,
    "min_rank": -100.0,
    "over_themes": 100.0,
    "sure_fit": 0.5,
    "attention_heads": HEADS,
    "width": WIDTH,
}
_OPSET = 18


def build_ranker(
    directory: Path, vectorizer: Vectorizer, heads: Path, weights: Sequence[float] = (1.0,), **changes: Any
) -> None:
    """Build a ranker with an output for each weight, tied to a bundle of heads; `changes` replaces its facts."""
    directory.mkdir()
    outputs = [LIKELIHOOD, *(f"reaction-{number}" for number in range(1, len(weights)))]
    facts = {**FACTS, "outputs": outputs, "weights": list(weights), **changes}
    tokens = Reading(vectorizer.tokenizer_file, facts["context_tokens"], facts["reply_tokens"]).vocabulary
    draw = np.random.default_rng(0)
    np.save(directory / WORDS, draw.standard_normal((tokens, WIDTH)).astype(np.float16))
    write_ranker_graph(directory / GRAPH, len(outputs))
    write_probes(directory, Ranker(directory, facts, vectorizer.tokenizer_file))
    ties = {"heads": read_manifest(heads).digest}
    write_manifest(directory, "ranker", vectorizer.id, {**facts, "ties": ties})


def _constants(outputs: int) -> dict[str, Any]:
    draw = np.random.default_rng(1)
    scale = np.full((WIDTH, outputs), 0.5 / WIDTH, np.float32)
    return {
        "hidden": 0.5 * draw.standard_normal((WIDTH, WIDTH)).astype(np.float32),
        "scale": scale * draw.choice(np.array([-1, 1], np.float32), scale.shape),
        "last": np.array([2], np.int64),
        "along": np.array([1], np.int64),
        "of_known": np.array([0, 2], np.int64),
        "first": np.array([0], np.int64),
        "one_row": np.array([1, WIDTH], np.int64),
        "split": np.array([-1, HEADS, WIDTH // HEADS], np.int64),
        "as_often": np.array([2 * LAYERS, 1, 1, 1], np.int64),
        "one": np.array(1, np.float32),
    }


def write_ranker_graph(path: Path, outputs: int = 1, **names: str) -> None:
    """Write a graph of both passes: the sum of a row's tokens and of what is known, through a hidden layer.

    What is kept of a context are its tokens, those of the one who replies counting double. Scores stay within 0.5,
    so that what the heads say is not drowned.

    Args:
        path: the file.
        outputs: scores a reply gets.
        names: other names of inputs and outputs, by the right one.
    """
    from onnx import TensorProto, checker, helper, numpy_helper, save

    node, info = helper.make_node, helper.make_tensor_value_info
    name = {right: names.get(right, right) for right in (KNOWN, TOKENS, KINDS, THERE, SCORES, f"new_{KNOWN}")}
    nodes = [
        node("Unsqueeze", [name[THERE], "last"], ["is_there"]),
        node("Mul", [name[TOKENS], "is_there"], ["kept"]),
        node("ReduceSum", ["kept", "along"], ["said"], keepdims=0),
        node("ReduceSum", [name[KNOWN], "of_known"], ["asked_by_heads"], keepdims=0),
        node("Reshape", ["asked_by_heads", "one_row"], ["asked"]),
        node("Add", ["said", "asked"], ["both"]),
        node("MatMul", ["both", "hidden"], ["mixed"]),
        node("Tanh", ["mixed"], ["bent"]),
        node("MatMul", ["bent", "scale"], [name[SCORES]]),
        node("Cast", [name[KINDS]], ["own"], to=TensorProto.FLOAT),
        node("Add", ["own", "one"], ["counts"]),
        node("Unsqueeze", ["counts", "last"], ["counting"]),
        node("Mul", ["kept", "counting"], ["counted"]),
        node("Gather", ["counted", "first"], ["of_first"], axis=0),
        node("Reshape", ["of_first", "split"], ["tokens_by_heads"]),
        node("Transpose", ["tokens_by_heads"], ["heads_by_tokens"], perm=[1, 0, 2]),
        node("Unsqueeze", ["heads_by_tokens", "first"], ["one_layer"]),
        node("Expand", ["one_layer", "as_often"], [name[f"new_{KNOWN}"]]),
    ]
    known = [2 * LAYERS, HEADS, "read", WIDTH // HEADS]
    inputs = [
        info(name[KNOWN], TensorProto.FLOAT, known),
        info(name[TOKENS], TensorProto.FLOAT, ["n", "t", WIDTH]),
        info(name[KINDS], TensorProto.INT64, ["n", "t"]),
        info(name[THERE], TensorProto.FLOAT, ["n", "t"]),
    ]
    made = [
        info(name[SCORES], TensorProto.FLOAT, ["n", outputs]),
        info(name[f"new_{KNOWN}"], TensorProto.FLOAT, [2 * LAYERS, HEADS, "t", WIDTH // HEADS]),
    ]
    values = [numpy_helper.from_array(value, constant) for constant, value in _constants(outputs).items()]
    graph = helper.make_graph(nodes, "tiny", inputs, made, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    checker.check_model(model)
    save(model, str(path))
