"""Vectors of the fixed lists by encoders that seldom change, kept between runs.

An encoder's vectors follow from its weights, its form, what runs it and how texts are normalised; all of that names
the file. What a run does not ask for is removed at its end, so nothing outlives the lists (and people who were
erased from them) by more than one run. What is served is never taken from here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from rejoinder.atomic import write_bytes
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.release.canonical import digest_bytes, digest_file
from rejoinder.text import NORMALIZATION_VERSION

Encode = Callable[[list[str]], Vectors]


class Remembered:
    """A folder of vectors, one file for each encoder and list of texts."""

    def __init__(self, folder: Path) -> None:
        """Open the folder.

        Args:
            folder: made if it is not there.
        """
        self._folder = folder
        self._used: set[Path] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def encoder(self, identity: Sequence[str], encode: Encode) -> Encode:
        """Put the folder in front of an encoder.

        Args:
            identity: everything that decides its vectors.
            encode: texts to unit rows, float32 [n, dim].

        Returns:
            The same function, which runs the encoder only where its vectors are not there yet.
        """

        def remembering(texts: list[str]) -> Vectors:
            name = digest_bytes(json.dumps([NORMALIZATION_VERSION, *identity, *texts]).encode())
            path = self._folder / f"{name.removeprefix('sha256:')}.npy"
            self._used.add(path)
            found = _read(path, len(texts))
            if found is None:
                found = encode(texts)
                write_array(path, found)
            return found

        return remembering

    def torch_encoder(self, name: str, where: str | Path, max_length: int) -> Encode:
        """An encoder in torch, which is loaded when it has to run.

        Args:
            name: for the bar.
            where: an encoder folder of ours, or the untuned encoder's name.
            max_length: tokens that the untuned encoder reads of a text.

        Returns:
            Texts to unit rows.
        """
        import torch

        from stages.common.base_encoder import base_folder

        folder = where if isinstance(where, Path) else base_folder(where)
        files = sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors"))
        identity = ["torch", torch.__version__, str(max_length), *map(digest_file, files)]

        def encode(texts: list[str]) -> Vectors:
            from stages.training.encoder import SentenceEncoder, load_base
            from stages.training.encoder import encode as torch_encode

            if isinstance(where, Path):
                encoder = SentenceEncoder.load(where)
            else:
                encoder = load_base(where, max_length=max_length, context_turns=1)
            return torch_encode(encoder, texts, fast=False, label=f"benchmark: encoding with {name}")

        return self.encoder(identity, encode)

    def exported(self, vectorizer: Vectorizer) -> Encode:
        """A release's vectorizer.

        Args:
            vectorizer: open.

        Returns:
            Texts to unit rows.
        """
        import onnxruntime

        from stages.common.encoding import encode_all

        identity = ["onnxruntime", onnxruntime.__version__, vectorizer.id, str(vectorizer.execution)]
        return self.encoder(
            identity, lambda texts: encode_all(vectorizer, texts, "benchmark: encoding with champion")
        )

    def forget_the_rest(self) -> None:
        """Remove what was not asked for since the folder was opened."""
        for path in self._folder.iterdir():
            if path not in self._used:
                path.unlink()


def write_array(path: Path, vectors: Vectors) -> None:
    """Write vectors, whole or not at all."""
    buffer = BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def _read(path: Path, rows: int) -> Vectors | None:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged: made anew
        return None
    return found if found.dtype == np.float32 and found.ndim == 2 and len(found) == rows else None
