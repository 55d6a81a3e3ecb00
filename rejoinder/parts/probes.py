"""Probes: digests prove the bytes, probes prove that this machine computes the same vectors from them.

Fixed texts with their expected token ids and vectors travel in the model bundle, and a digest of the vocabulary: a
token that is in no probe text is there, too. Rows of the cache and the index, picked by the bundle's own digest,
are encoded again and compared with what is stored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rejoinder.errors import FormatError, Problem
from rejoinder.parts.arrays import Vectors, map_array, worst_distance
from rejoinder.release.canonical import Digest
from rejoinder.release.forms import ROUNDING

if TYPE_CHECKING:
    from rejoinder.parts.vectorizer import Vectorizer

PROBES = "probes.json"
ROWS = 32
NORM_TOLERANCE = 1e-3

TEXTS = (
    "", " ", "hi", "Hello", "HELLO", "hello!", "How are you doing today?", "I feel lonely", "ok", "haha yeah",
    "What do you do for fun?", "i like pizza 🍕", "😂😂😂", "naïve café", "ﬁne", "ＦＵＬＬ width", "Straße",
    "e\u0301te\u0301", "zero\u200bwidth", "tab\tand\nnewline", "[SEP] [CLS] [MASK]", "<PERSON_1> said hi",
    "don't you think so?", "1234567890", "a", "?", "Привет, как дела?", "你好吗", "مرحبا",
    "what's up\nnot much, you?", "so " * 200, "x" * 300,
)  # fmt: skip


def write_probes(directory: Path, vectorizer: Vectorizer) -> None:
    """Record what a vectorizer makes of the probe texts.

    Args:
        directory: the model bundle being built.
        vectorizer: the exported vectorizer; its execution names the file of its vectors.
    """
    document = {"texts": TEXTS, "tokens": vectorizer.tokenize(TEXTS), "vocabulary": vectorizer.vocabulary()}
    (directory / PROBES).write_text(json.dumps(document), encoding="utf-8")
    np.save(directory / vectorizer.execution.probes, vectorizer.encode(TEXTS))


def model_problems(directory: Path, vectorizer: Vectorizer) -> list[Problem]:
    """Compare this machine's tokens and vectors of the probe texts with the recorded ones.

    Args:
        directory: the verified model bundle.
        vectorizer: loaded from it.

    Returns:
        What differs.

    Raises:
        FormatError: if the recorded probes cannot be read.
    """
    texts, tokens, vocabulary = _read_probes(directory / PROBES)
    execution = vectorizer.execution
    expected = map_array(directory / execution.probes, np.float32, (None, None))
    problems = []
    different = [n for n, found in enumerate(vectorizer.tokenize(texts)) if found != tokens[n]]
    if different:
        problems.append(Problem("probe tokens", "the recorded ids", f"others for probes {different}"))
    problems += _vector_problems("probe vectors", vectorizer.encode(texts), expected, execution.tolerance)
    if vocabulary is not None and (found := vectorizer.vocabulary()) != vocabulary:
        problems.append(Problem("probe vocabulary", str(vocabulary)[:80], found))
    return problems


def _read_probes(path: Path) -> tuple[list[str], list[Any], Any]:
    """Texts, their tokens, and the digest of the vocabulary; None of bundles made before that was recorded."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        texts, tokens = document["texts"], document["tokens"]
        fine = len(texts) == len(tokens) and all(isinstance(text, str) for text in texts)
    except (ValueError, KeyError, TypeError, RecursionError):
        fine = False
    if not fine:
        raise FormatError(str(path), [Problem(path.name, "texts and their tokens", "something else")])
    return texts, tokens, document.get("vocabulary")


def stored_vectors_problems(where: str, fresh: Vectors, stored: Vectors, tolerance: float) -> list[Problem]:
    """Compare rows that were encoded again with those that a bundle holds.

    Args:
        where: for messages.
        fresh: float32 [n, dim], encoded on this machine.
        stored: float32 [n, dim], as the bundle holds them.
        tolerance: largest 1 - cos allowed here, if above that of stored rows.

    Returns:
        What differs.
    """
    return _vector_problems(where, fresh, stored, max(ROUNDING, tolerance))


def pick_rows(digest: Digest, n: int) -> list[int]:
    """Up to `ROWS` of n rows, picked by a bundle's digest: whoever makes a bundle cannot choose what is probed."""
    seed = int(digest.removeprefix("sha256:")[:16], 16)
    return sorted(np.random.default_rng(seed).choice(n, min(ROWS, n), replace=False).tolist())


def _vector_problems(where: str, got: Vectors, expected: Vectors, tolerance: float) -> list[Problem]:
    if got.shape != expected.shape:
        return [Problem(where, f"shape {list(expected.shape)}", f"{list(got.shape)}")]
    problems = []
    # A missing output normalisation does not turn a vector, so the cosine cannot see it: look at the norm.
    off_norm = float(np.abs(np.linalg.norm(got, axis=1) - 1).max())
    if not off_norm <= NORM_TOLERANCE:
        problems.append(Problem(where, f"unit length within {NORM_TOLERANCE:g}", f"off by {off_norm:.3g}"))
    distance = worst_distance(got, expected)
    if not distance <= tolerance:
        problems.append(Problem(where, f"1 - cos of at most {tolerance:g}", f"{distance:.3g}"))
    return problems
