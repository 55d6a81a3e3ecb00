"""Vectorizer: text -> tokens -> ONNX model -> float32 [n, dim], rows of unit length.

The one place where vectors are made: training measures it, the cache and the index are built with it, and it
serves. One token batch gives the same vectors on each of these paths.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from rejoinder.errors import FormatError, InputError, Problem
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.choice import open_chosen
from rejoinder.parts.engines import available_providers, open_engine
from rejoinder.parts.onnx_guard import check_onnx
from rejoinder.parts.probes import model_problems
from rejoinder.parts.tokens import lengths, open_tokenizer, token_ids
from rejoinder.release.canonical import Digest, digest_bytes
from rejoinder.release.forms import Execution, executions_of, model_file
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.release.vectorizer_spec import VectorizerId, VectorizerSpec

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening
    from rejoinder.release.manifest import Manifest

#: Bytes of memory per byte of file, at the worst moment: opened, probed, and once used with the largest batch; and
#: what that batch and compiled kernels take whatever the file. Measured with 6 layers of 384: fp32 (90 MB) takes
#: 173 MB in ONNX Runtime and 216 in OpenVINO, fp16 (34 MB) 150 and 196, int8 (23 MB) 153 and 176.
MODEL_FACTOR, TOKENIZER_FACTOR = 3, 16
MODEL_BASE = 120 << 20
OUTPUT = "vectors"
_BATCH = 32  # rows; sorted by length, larger batches gave nothing on two cores


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group texts of like length, so that little is padded: a few long ones would make all others as long.

    Args:
        lengths: tokens of each text.

    Yields:
        Rows, shortest first: at most `_BATCH`, the longest at most twice as long as the shortest.
    """
    rows: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if rows and (len(rows) == _BATCH or lengths[row] > 2 * lengths[rows[0]]):
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows


class Vectorizer:
    """An opened vectorizer. Safe to share between threads."""

    def __init__(self, directory: Path, spec: VectorizerSpec, execution: Execution) -> None:
        """Load tokenizer and model; the directory's bytes must have been verified.

        Args:
            directory: holds the files named in the spec.
            spec: what decides the vectors.
            execution: which form runs, and on what.
        """
        self.spec = spec
        self.execution = execution
        self.tokenizer_file = directory / TOKENIZER
        self._tokenizer = open_tokenizer(self.tokenizer_file, spec.max_length)
        path = directory / model_file(execution.form)
        self._engine = open_engine(path, execution.provider)
        if list(self._engine.outputs) != [OUTPUT]:
            got = ", ".join(self._engine.outputs)[:80]
            raise FormatError(str(path), [Problem("output", OUTPUT, got)])

    @property
    def id(self) -> VectorizerId:
        """The VectorizerId."""
        return self.spec.id

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.spec.dim

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Normalise and tokenise.

        Args:
            texts: n texts.

        Returns:
            n lists of token ids, each at most `max_length` long.
        """
        return token_ids(self._tokenizer, texts)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Count tokens, of the whole of each text and without control tokens.

        Args:
            texts: n texts.

        Returns:
            n counts.
        """
        return lengths(self._tokenizer, texts)

    def vocabulary(self) -> Digest:
        """Digest of all tokens and their ids, as the tokenizers library has read them."""
        tokens = sorted(self._tokenizer.get_vocab(with_added_tokens=True).items())
        return digest_bytes(json.dumps(tokens).encode())

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts.

        Args:
            texts: n texts, in any order and of any length.

        Returns:
            float32 [n, dim], rows of unit length, in the order of `texts`.
        """
        ids = self.tokenize(texts)
        vectors = np.empty((len(ids), self.dim), np.float32)
        for rows in batches([len(row) for row in ids]):
            vectors[rows] = self._run([ids[row] for row in rows])
        return vectors

    def _run(self, ids: Sequence[Sequence[int]]) -> Vectors:
        width = max(len(row) for row in ids)
        tokens = np.zeros((len(ids), width), np.int64)
        mask = np.zeros((len(ids), width), np.int64)
        for row, line in enumerate(ids):
            tokens[row, : len(line)] = line
            mask[row, : len(line)] = 1
        return cast(Vectors, self._engine.run({"input_ids": tokens, "attention_mask": mask}))


def load_vectorizer(directory: Path, manifest: Manifest, execution: Execution | None = None) -> Vectorizer:
    """Load the vectorizer of a verified model bundle.

    Args:
        directory: the bundle; its bytes have been checked against the manifest.
        manifest: the bundle's manifest.
        execution: which form runs, and on what; by default as the bundle's vectors were made.

    Returns:
        The vectorizer.

    Raises:
        InputError: if this machine lacks what the form runs on.
        FormatError: if a form is no ONNX model that is whole in itself.
    """
    spec = VectorizerSpec(**manifest.facts["vectorizer"])
    for form in spec.weights:  # also those that this machine does not run
        check_onnx(directory / model_file(form))
    return Vectorizer(directory, spec, execution or executions_of(manifest.facts)[0])


def executions_here(manifest: Manifest, provider: str | None = None) -> list[Execution]:
    """What this machine can run of a model bundle.

    Args:
        manifest: of the bundle.
        provider: what alone may run it; by default anything.

    Returns:
        At least one execution, in the bundle's order.

    Raises:
        InputError: if there is none.
    """
    offered = executions_of(manifest.facts)
    wanted = available_providers() if provider is None else (provider,)
    found = [execution for execution in offered if execution.provider in wanted]
    if not found:
        following = "install rejoinder[cpu] or rejoinder[gpu] here" if provider is None else "name another provider"
        raise InputError(
            f"model: expected a form for {' or '.join(wanted)}, got {', '.join(map(str, offered))}. "
            f"Next: {following}, or export another form"
        )
    return found


def open_part(opening: Opening) -> Vectorizer:
    """Load the vectorizer of a release, by the form that suits this machine best."""
    found = executions_here(opening.manifest, opening.provider)
    return open_chosen(opening, found, partial(load_vectorizer, opening.directory, opening.manifest))


def probe(opening: Opening, vectorizer: Vectorizer) -> list[Problem]:
    """Compare this machine's tokens and vectors of the probe texts with the recorded ones."""
    return model_problems(opening.directory, vectorizer)


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of the largest form that may be run here and of the tokenizer, with what loading them takes besides."""
    files = {model_file(execution.form) for execution in executions_here(manifest, provider)}
    largest = max(manifest.files[name].size for name in files)
    return MODEL_BASE + MODEL_FACTOR * largest + TOKENIZER_FACTOR * manifest.files[TOKENIZER].size
