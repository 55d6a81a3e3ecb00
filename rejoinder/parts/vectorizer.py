"""Vectorizer: text -> tokens -> ONNX session -> float32 [n, dim], rows of unit length.

The one place where vectors are made: training measures it, the cache and the index are built with it, and it
serves. One token batch gives the same vectors on each of these paths.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from rejoinder.errors import InputError, Problem
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.onnx_guard import check_onnx
from rejoinder.parts.onnx_session import default_provider, open_session
from rejoinder.parts.probes import model_problems
from rejoinder.parts.tokens import open_tokenizer, token_ids
from rejoinder.release.canonical import Digest, digest_bytes
from rejoinder.release.forms import FORMS, model_file
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.release.vectorizer_spec import VectorizerId, VectorizerSpec

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening
    from rejoinder.release.manifest import Manifest

#: Bytes of memory per byte of file, at the worst moment: opened, probed, and once used with the largest batch.
#: Measured with a model of 62 MB: loading 2.1 times its file (ONNX Runtime holds the weights twice for a moment),
#: after the probes 2.4, after the largest batch 3.0, because ONNX Runtime keeps that batch's memory.
MODEL_FACTOR, TOKENIZER_FACTOR = 3, 16
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

    def __init__(self, directory: Path, spec: VectorizerSpec, provider: str) -> None:
        """Load tokenizer and session; the directory's bytes must have been verified.

        Args:
            directory: holds the files named in the spec.
            spec: what decides the vectors.
            provider: an ONNX Runtime execution provider, a key of `FORMS`.
        """
        self.spec = spec
        self.provider = provider
        self._tokenizer = open_tokenizer(directory / TOKENIZER, spec.max_length)
        self._session = open_session(directory / model_file(FORMS[provider]), provider)

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
        (vectors,) = self._session.run(["vectors"], {"input_ids": tokens, "attention_mask": mask})
        return cast(Vectors, vectors)


def load_vectorizer(directory: Path, manifest: Manifest, provider: str | None = None) -> Vectorizer:
    """Load the vectorizer of a verified model bundle.

    Args:
        directory: the bundle; its bytes have been checked against the manifest.
        manifest: the bundle's manifest.
        provider: an ONNX Runtime execution provider; by default the best one present.

    Returns:
        The vectorizer.

    Raises:
        InputError: if this machine does not have the provider, or the bundle has no form for it.
        FormatError: if a form is no ONNX model that is whole in itself.
    """
    spec = VectorizerSpec(**manifest.facts["vectorizer"])
    provider = provider or default_provider()
    if FORMS[provider] not in spec.weights:
        raise InputError(
            f"{provider}: expected {model_file(FORMS[provider])} in the model bundle, got only the forms "
            f"{', '.join(spec.weights)}. Next: name another provider, or export that form"
        )
    for form in spec.weights:  # also those that this machine does not run
        check_onnx(directory / model_file(form))
    return Vectorizer(directory, spec, provider)


def open_part(opening: Opening) -> Vectorizer:
    """Load the vectorizer of a release."""
    return load_vectorizer(opening.directory, opening.manifest, opening.provider)


def probe(opening: Opening, vectorizer: Vectorizer) -> list[Problem]:
    """Compare this machine's tokens and vectors of the probe texts with the recorded ones."""
    return model_problems(opening.directory, vectorizer, opening.tolerance)


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of the form that the provider runs and of the tokenizer, with what loading them takes besides."""
    factors = {model_file(FORMS[provider or default_provider()]): MODEL_FACTOR, TOKENIZER: TOKENIZER_FACTOR}
    return sum(factors.get(name, 0) * entry.size for name, entry in manifest.files.items())
