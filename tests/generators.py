"""A language model in a few words: a graph of a few nodes that adds up what it read, written without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from rejoinder.parts.decoder import KNOWN, LOGITS, NEW, PREFIX, THERE, TOKENS, WANTED
from rejoinder.parts.generator import Generator
from rejoinder.parts.generator_facts import CHOICES, EMBEDDINGS, SCALES, SPANS, graph_file
from rejoinder.parts.generator_probes import write_probes
from rejoinder.parts.public_spans import keys_of
from rejoinder.release.forms import CPU
from rejoinder.release.manifest import Manifest, write_manifest
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.release.vectorizer_spec import VectorizerId

LAYERS, KV_HEADS, HEAD_DIM = 2, 2, 4
WIDTH = KV_HEADS * HEAD_DIM
FORM = "int4"
SPECIALS = ("<u>", "<b>", "<e>", "<unk>")
SPOKEN = ("i", "you", "we", "like", "love", "miss", "feel", "pizza", "music", "rain", "home", "hello", "so", "too")
#: As `stages.generator.bundle` writes them.
FACTS: dict[str, Any] = {
    "template": {"opening": "", "user": ["<u> ", " <e>"], "bot": ["<b> ", " <e>"]},
    "window": 32,
    "layers": LAYERS,
    "kv_heads": KV_HEADS,
    "head_dim": HEAD_DIM,
    "width": WIDTH,
    "sampling": {
        "n": 6,
        "max_tokens": 8,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "stop": [],
    },
    "when": "always",
    "below": 0.5,
    "kin": ["mum"],
    "never": ["i like rain"],
    "base": {"name": "tiny", "sha256": "0" * 64},
    "executions": [{"form": FORM, "provider": CPU, "tolerance": 1e-4}],
}
_OPSET = 18


def build_generator(
    directory: Path, vectorizer_id: VectorizerId, said: Sequence[str] = SPOKEN, *, seed: int = 0, **changes: Any
) -> Manifest:
    """Build a generator.

    Args:
        directory: to make.
        vectorizer_id: of its release.
        said: words that it may say.
        seed: of its weights; another one says other things.
        **changes: of its facts, in place of those above.

    Returns:
        The manifest.
    """
    directory.mkdir()
    facts = {**FACTS, **changes}
    words = sorted({*SPOKEN, *said})
    tokens = write_tokenizer(directory / TOKENIZER, words)
    random = np.random.default_rng(seed)
    np.save(directory / EMBEDDINGS, random.integers(-127, 128, (len(tokens), WIDTH), np.int8))
    np.save(directory / SCALES, np.full(len(tokens), 1 / 64, np.float16))
    choices = np.array(sorted([tokens["<e>"], *(tokens[word] for word in said)]), np.int32)
    np.save(directory / CHOICES, choices)
    np.save(directory / SPANS, keys_of(said))
    write_graph(directory / graph_file(FORM), len(choices), int(np.searchsorted(choices, tokens["<e>"])), seed)
    generator = Generator(directory, facts, facts["executions"][0])
    write_probes(directory, generator.prompt, generator.next_logits, FORM)
    return write_manifest(directory, "generator", vectorizer_id, facts)


def write_tokenizer(path: Path, words: Sequence[str]) -> dict[str, int]:
    """Write a word-level tokenizer with a template's tokens; every token's number."""
    vocabulary = {token: number for number, token in enumerate((*SPECIALS, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(path))
    return vocabulary


def _constants(choices: int, end: int, seed: int) -> dict[str, Any]:
    random, bias = np.random.default_rng(seed + 1), np.zeros(choices, np.float32)
    bias[end] = np.log(3)
    return {
        "hidden": 0.5 * random.standard_normal((WIDTH, WIDTH)).astype(np.float32),
        "out": (0.3 * random.standard_normal((WIDTH, choices))).astype(np.float32),
        "bias": bias,
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "two": np.array([2], np.int64),
        "three": np.array([3], np.int64),
        "far": np.array([1 << 40], np.int64),
        "flat": np.array([-1, 1, WIDTH], np.int64),
        "by_heads": np.array([0, 0, KV_HEADS, HEAD_DIM], np.int64),
        "as_often": np.array([2 * LAYERS, 1, 1, 1, 1], np.int64),
    }


def _summed(given: str, part: str) -> list[Any]:
    """Nodes that add up what is known, [rows, 1, width]."""
    from onnx import helper

    return [
        helper.make_node("Gather", [given, "zero"], [f"{part}_first"], axis=0),
        helper.make_node("ReduceSum", [f"{part}_first", "three"], [f"{part}_sum"], keepdims=0),
        helper.make_node("Reshape", [f"{part}_sum", "flat"], [f"{part}_read"]),
    ]


def write_graph(path: Path, choices: int, end: int, seed: int = 0, **names: str) -> None:
    """Write the graph: the sum of all tokens read so far, through a hidden layer; an end is three times as likely.

    Args:
        path: the file.
        choices: tokens that have an output.
        end: place among them of the one that ends a turn.
        seed: of its weights.
        **names: other names of inputs and outputs, by the right one.
    """
    from onnx import TensorProto, checker, helper, numpy_helper, save

    node, info = helper.make_node, helper.make_tensor_value_info
    name = {right: names.get(right, right) for right in (TOKENS, PREFIX, KNOWN, THERE, WANTED, LOGITS, NEW)}
    nodes = [
        node("Shape", [name[TOKENS]], ["new"], start=1, end=2),
        node("Neg", ["new"], ["since"]),
        node("Slice", [name[THERE], "since", "far", "one"], ["is_new"]),
        node("Unsqueeze", ["is_new", "two"], ["is_there"]),
        node("Mul", [name[TOKENS], "is_there"], ["kept"]),
        node("CumSum", ["kept", "one"], ["said"]),
        *_summed(name[PREFIX], PREFIX),
        *_summed(name[KNOWN], KNOWN),
        node("Sum", ["said", f"{PREFIX}_read", f"{KNOWN}_read"], ["all"]),
        node("MatMul", ["all", "hidden"], ["mixed"]),
        node("Tanh", ["mixed"], ["bent"]),
        node("MatMul", ["bent", "out"], ["plain"]),
        node("Add", ["plain", "bias"], ["every"]),
        node("Neg", [name[WANTED]], ["last"]),
        node("Slice", ["every", "last", "far", "one"], [name[LOGITS]]),
        node("Reshape", [name[TOKENS], "by_heads"], ["tokens_by_heads"]),
        node("Transpose", ["tokens_by_heads"], ["heads_by_tokens"], perm=[0, 2, 1, 3]),
        node("Unsqueeze", ["heads_by_tokens", "zero"], ["one_layer"]),
        node("Expand", ["one_layer", "as_often"], ["more"]),
        node("Concat", [name[KNOWN], "more"], [name[NEW]], axis=3),
    ]
    cells = (KV_HEADS, "k", HEAD_DIM)
    inputs = [
        info(name[TOKENS], TensorProto.FLOAT, ["r", "n", WIDTH]),
        info(name[PREFIX], TensorProto.FLOAT, [2 * LAYERS, 1, KV_HEADS, "p", HEAD_DIM]),
        info(name[KNOWN], TensorProto.FLOAT, [2 * LAYERS, "r", *cells]),
        info(name[THERE], TensorProto.FLOAT, ["r", "t"]),
        info(name[WANTED], TensorProto.INT64, [1]),
    ]
    made = [
        info(name[LOGITS], TensorProto.FLOAT, ["r", "w", choices]),
        info(name[NEW], TensorProto.FLOAT, [2 * LAYERS, "r", KV_HEADS, "t", HEAD_DIM]),
    ]
    values = [
        numpy_helper.from_array(value, constant) for constant, value in _constants(choices, end, seed).items()
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, made, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    checker.check_model(model)
    save(model, str(path))
