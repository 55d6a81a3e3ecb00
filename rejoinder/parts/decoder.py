"""Decoder: runs the graph of a generator; what was read of a context is shared by all replies to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rejoinder.errors import ConsistencyError, Problem
from rejoinder.parts.engines import open_engine
from rejoinder.parts.onnx_guard import check_onnx

TOKENS, PREFIX, KNOWN, THERE, WANTED = INPUTS = "tokens", "prefix", "known", "there", "wanted"
LOGITS, NEW = OUTPUTS = "logits", "new_known"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a model is.

    Attributes:
        layers: blocks of attention and perceptron.
        kv_heads: heads of keys and values.
        head_dim: length of a key.
        width: length of an embedding.
        choices: tokens that have an output.
    """

    layers: int
    kv_heads: int
    head_dim: int
    width: int
    choices: int


class Decoder:
    """An opened graph. Safe to share between threads."""

    def __init__(self, path: Path, provider: str, shape: Shape) -> None:
        """Open a graph.

        Args:
            path: the model; its bytes must have been verified.
            provider: a name in `rejoinder.release.forms`.
            shape: what it must be.

        Raises:
            BundleError: if the graph cannot be read or has other inputs or outputs.
        """
        check_onnx(path)
        self._engine = open_engine(path, provider)
        self._nothing = np.zeros((2 * shape.layers, 1, shape.kv_heads, 0, shape.head_dim), np.float32)
        inputs, outputs = self._engine.inputs, self._engine.outputs
        if set(inputs) != set(INPUTS) or set(outputs) != set(OUTPUTS):
            got = str(sorted([*inputs, *outputs]))[:200]
            raise ConsistencyError(str(path), [Problem("inputs and outputs", "those of a generator", got)])
        found = [inputs[TOKENS][1][-1], *(inputs[KNOWN][1][n] for n in (0, 2, 4)), outputs[LOGITS][1][-1]]
        wanted = [shape.width, 2 * shape.layers, shape.kv_heads, shape.head_dim, shape.choices]
        if found != wanted:
            raise ConsistencyError(str(path), [Problem("inputs and outputs", str(wanted), str(found)[:200])])

    def read(self, tokens: Floats) -> tuple[Floats, Floats]:
        """Read a context.

        Args:
            tokens: float32 [1, t, width].

        Returns:
            Logits of what comes next, float32 [1, choices], and what is known of the context.
        """
        there = np.ones(tokens.shape[:2], np.float32)
        logits, read = self._run(tokens, self._nothing, self._nothing, there, 1)
        return logits[:, -1], read

    def step(self, tokens: Floats, read: Floats, known: Floats | None) -> tuple[Floats, Floats]:
        """Read one more token of every reply.

        Args:
            tokens: float32 [r, 1, width].
            read: of the context.
            known: of the replies so far; None before the first token.

        Returns:
            Logits of what comes next, float32 [r, choices], and what is known of the replies now.
        """
        known = self._empty(len(tokens)) if known is None else known
        there = np.ones((len(tokens), known.shape[3] + 1), np.float32)
        logits, new = self._run(tokens, read, known, there, 1)
        return logits[:, -1], new

    def score(self, tokens: Floats, read: Floats, there: Floats) -> Floats:
        """Read whole replies.

        Args:
            tokens: float32 [r, t, width].
            read: of the context.
            there: float32 [r, t], 1 where there is a token; those come first.

        Returns:
            Logits after every token, float32 [r, t, choices].
        """
        return self._run(tokens, read, self._empty(len(tokens)), there, tokens.shape[1])[0]

    def _empty(self, rows: int) -> Floats:
        return np.zeros((len(self._nothing), rows, *self._nothing.shape[2:]), np.float32)

    def _run(
        self, tokens: Floats, prefix: Floats, known: Floats, there: Floats, wanted: int
    ) -> tuple[Floats, Floats]:
        values: tuple[Any, ...] = tokens, prefix, known, there, np.array([wanted], np.int64)
        found = self._engine.run_all(dict(zip(INPUTS, values, strict=True)))
        return found[LOGITS], found[NEW]
