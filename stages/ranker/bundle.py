"""Bundle: a trained ranker -> one ONNX graph, the embeddings beside it, probes and manifest."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from rejoinder.parts import HEADS, RANKER
from rejoinder.parts.ranker import GRAPH, KINDS, KNOWN, NEW, SCORES, THERE, TOKENS, WORDS, Ranker, write_probes
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.release.manifest import read_manifest, write_manifest
from stages.ranker.model import ContextOnce, Graph
from stages.training.onnx_files import OPSET, save_clean


def write_bundle(
    bundle: Path, model: ContextOnce, facts: dict[str, Any], vectorizer: Vectorizer, heads: Path
) -> None:
    """Write the bundle.

    Args:
        bundle: directory to make.
        model: trained, in evaluation mode, with all its outputs.
        facts: context_tokens, reply_tokens, candidates, outputs, weights, temperature.
        vectorizer: whose tokenizer reads the texts.
        heads: bundle beside whose scores the weights were fitted.
    """
    bundle.mkdir()
    shape = {"layers": len(model.layers), "attention_heads": model.heads, "width": model.width}
    write_graph(bundle / GRAPH, model)
    np.save(bundle / WORDS, model.words.weight.detach().numpy().astype(np.float16))
    every = {**facts, **shape}
    write_probes(bundle, Ranker(bundle, every, vectorizer.tokenizer_file))
    ties = {HEADS.bundle: read_manifest(heads).digest}
    write_manifest(bundle, RANKER.bundle, vectorizer.id, {**every, "ties": ties})


def write_graph(path: Path, model: ContextOnce, *, is_int8: bool = True) -> None:
    """Export both passes as one graph.

    Args:
        path: the file to write.
        model: in evaluation mode.
        is_int8: whether matrices are stored, and multiplied, in int8.

    Raises:
        RuntimeError: if it is in training mode: dropout would be exported with it.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    if any(part.training for part in model.modules()):
        raise RuntimeError("the ranker is in training mode: expected evaluation mode around an export")
    layers, width = len(model.layers), model.width
    known = torch.zeros(2 * layers, model.heads, 3, width // model.heads)
    words, ones = torch.zeros(2, 5, width), torch.ones(2, 5)
    free = {0: "rows", 1: "tokens"}
    with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            Graph(model).eval(), (known, words, ones.long(), ones), str(path), dynamo=False, opset_version=OPSET,
            input_names=[KNOWN, TOKENS, KINDS, THERE], output_names=[SCORES, NEW],
            dynamic_axes={KNOWN: {2: "read"}, TOKENS: free, KINDS: free, THERE: free, SCORES: {0: "rows"},
                          NEW: {2: "tokens"}},
        )  # fmt: skip
    if is_int8:  # one bit less: without VNNI, products of eight bits overflow the sixteen they are summed in
        logging.disable(logging.WARNING)  # it writes advice to the root logger
        try:
            quantize_dynamic(path, path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
        finally:
            logging.disable(logging.NOTSET)
    save_clean(onnx.load(path), path)
