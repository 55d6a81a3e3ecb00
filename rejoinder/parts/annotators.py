"""Annotators: many small heads on the vector of one turn, in one ONNX model with an output a head.

What a head says of a turn is for whoever chooses, monitors or asks: nothing is answered by it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.errors import ConsistencyError, Problem
from rejoinder.parts import VECTORIZER
from rejoinder.parts.arrays import Vectors, map_array
from rejoinder.parts.engines import open_engine
from rejoinder.parts.onnx_guard import check_onnx
from rejoinder.parts.probes import ROWS
from rejoinder.release.forms import CPU
from rejoinder.release.manifest import Manifest, missing_files

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening
    from rejoinder.parts.vectorizer import Vectorizer

MODEL = "annotators.onnx"
INPUT = "turns"
#: Recorded turns, and what all heads make of them, side by side in the order of their names.
_TURNS, _PROBABILITIES = "turns.npy", "probabilities.npy"
#: Largest difference of a probability between two machines: rounding, no more.
_ROUNDING = 1e-4
_MOST_HEADS, _MOST_LABELS = 256, 1024
_FILE_FACTOR = 3  # bytes of memory per byte of model; as for the vectorizer

Probabilities = npt.NDArray[np.float32]


class Annotators:
    """Opened annotators. Safe to share between threads."""

    def __init__(self, directory: Path, heads: Mapping[str, Mapping[str, Any]], turn_dim: int) -> None:
        """Load the model; the directory's bytes must have been verified.

        Args:
            directory: holds it.
            heads: by name: `labels`, `is_weak`.
            turn_dim: length of a turn's vector.

        Raises:
            BundleError: if the model cannot be read or has other inputs or outputs.
        """
        # By name: a manifest keeps no other order.
        self.labels = {name: tuple(head["labels"]) for name, head in sorted(heads.items())}
        self.weak = frozenset(name for name, head in heads.items() if head["is_weak"])
        path = directory / MODEL
        check_onnx(path)
        self._engine = open_engine(path, CPU)
        expected = {INPUT: ("f32", [turn_dim])} | {
            name: ("f32", [len(labels)]) for name, labels in self.labels.items()
        }
        found = {
            name: (kind, shape[1:])
            for name, (kind, shape) in {**self._engine.inputs, **self._engine.outputs}.items()
        }
        if found != expected:
            problem = Problem("inputs and outputs", str(expected)[:200], str(found)[:200])
            raise ConsistencyError(str(path), [problem])

    def annotate(self, vectors: Vectors) -> dict[str, Probabilities]:
        """Annotate turns.

        Args:
            vectors: float32 [n, turn_dim].

        Returns:
            By head: float32 [n, its labels], rows that sum to 1.
        """
        found = self._engine.run_all({INPUT: np.ascontiguousarray(vectors, np.float32)})
        return {name: found[name] for name in self.labels}

    def best(self, vector: Vectors) -> dict[str, tuple[str, float]]:
        """What each head thinks likeliest of one turn.

        Args:
            vector: float32 [turn_dim].

        Returns:
            Label and probability by head.
        """
        found = {name: row[0] for name, row in self.annotate(vector[None]).items()}
        likeliest = {name: int(row.argmax()) for name, row in found.items()}
        return {name: (self.labels[name][n], float(found[name][n])) for name, n in likeliest.items()}


def fact_problems(manifest: Manifest) -> list[Problem]:
    """Check the facts that annotators are opened by.

    Args:
        manifest: of an annotators bundle.

    Returns:
        What cannot be right.
    """
    heads, problems = manifest.facts.get("heads"), []
    if not isinstance(heads, dict) or not 0 < len(heads) <= _MOST_HEADS or not all(map(_is_head, heads.values())):
        problems.append(Problem("facts: heads", "by name: labels (at least two), is_weak", "something else"))
    needed = (MODEL, _TURNS, _PROBABILITIES)
    return problems + missing_files(manifest, needed)


def _is_head(head: Any) -> bool:
    if not isinstance(head, dict) or type(head.get("is_weak")) is not bool:
        return False
    labels = head.get("labels")
    if not isinstance(labels, list) or not all(type(label) is str for label in labels):
        return False
    return 2 <= len(labels) <= _MOST_LABELS and len(set(labels)) == len(labels)


def facts_of(heads: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The facts of a manifest, of heads by name: `labels`, `is_weak`."""
    return {"heads": {name: dict(head) for name, head in heads.items()}}


def write_probes(directory: Path, annotators: Annotators, vectors: Vectors) -> None:
    """Record what the heads make of some turns.

    Args:
        directory: the bundle being built.
        annotators: opened from it.
        vectors: float32 [n, turn_dim] of some turns.
    """
    turns = np.resize(vectors, (ROWS, vectors.shape[1])).astype(np.float32)
    np.save(directory / _TURNS, turns)
    np.save(directory / _PROBABILITIES, _side_by_side(annotators, turns))


def _side_by_side(annotators: Annotators, turns: Vectors) -> Probabilities:
    return np.concatenate(list(annotators.annotate(turns).values()), axis=1)


def open_annotators(directory: Path, manifest: Manifest, turn_dim: int) -> Annotators:
    """Load annotators whose bytes have been verified.

    Args:
        directory: the bundle.
        manifest: its manifest.
        turn_dim: length of a turn's vector.

    Returns:
        The annotators.

    Raises:
        BundleError: if they are not what the manifest says.
    """
    if problems := fact_problems(manifest):
        raise ConsistencyError(str(directory), problems)
    return Annotators(directory, manifest.facts["heads"], turn_dim)


def open_part(opening: Opening) -> Annotators:
    """Load the annotators of a release."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    return open_annotators(opening.directory, opening.manifest, vectorizer.dim)


def probe(opening: Opening, annotators: Annotators) -> list[Problem]:
    """Compare what this machine makes of the recorded turns with what was recorded."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    turns = map_array(opening.directory / _TURNS, np.float32, (None, vectorizer.dim))
    width = sum(map(len, annotators.labels.values()))
    expected = map_array(opening.directory / _PROBABILITIES, np.float32, (len(turns), width))
    off = float(np.abs(_side_by_side(annotators, turns) - expected).max(initial=0))
    return [] if off <= _ROUNDING else [Problem("annotators", f"within {_ROUNDING:g}", f"off by {off:.3g}")]


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of the model, with what loading it takes besides."""
    del provider
    return _FILE_FACTOR * manifest.files[MODEL].size
