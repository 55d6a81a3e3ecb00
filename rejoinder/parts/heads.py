"""Heads: vectors of turns -> the vector of a context, and of a reply; two small ONNX models behind the vectorizer.

The encoder sees every turn once and alone; what a turn means where it stands is the heads' business. They always
run on the CPU: a copy to a GPU and back would take longer than they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.errors import BundleError, ConsistencyError, FormatError, Problem
from rejoinder.parts import HEADS, VECTORIZER
from rejoinder.parts.arrays import Vectors, map_array
from rejoinder.parts.engines import Engine, open_engine
from rejoinder.parts.onnx_guard import check_onnx
from rejoinder.parts.probes import ROWS, stored_vectors_problems
from rejoinder.release.forms import CPU
from rejoinder.release.manifest import Manifest, count_problems, missing_files

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening
    from rejoinder.parts.vectorizer import Vectorizer

CONTEXT, REPLY = "context.onnx", "reply.onnx"
OUTPUT = "vectors"
#: Recorded turns, and what each head makes of them.
_TURNS, _CONTEXTS, _REPLIES = "turns.npy", "contexts.npy", "replies.npy"
#: Facts may not claim more: a context is laid out by them before any model runs.
_MOST = {"turns": 64, "turn_dim": 1 << 14, "dim": 1 << 14}
_FILE_FACTOR = 3  # bytes of memory per byte of model; as for the vectorizer
_BATCH = 1024  # contexts at a time: bounds what a benchmark's thousands take

Mask = npt.NDArray[np.float32]


class Contexts:
    """Contexts of several dialogues, laid out as the context head reads them: the last turn last, gaps before.

    Attributes:
        turns: float32 [n, t, turn_dim]; zeros where there is no turn.
        mask: float32 [n, t]; 1 where there is one.
        own: float32 [n, t]; 1 where it is of the one who answers, 0 where it is of another.
    """

    def __init__(self, n: int, turns: int, turn_dim: int) -> None:
        """Lay out n contexts without any turn."""
        self.turns: Vectors = np.zeros((n, turns, turn_dim), np.float32)
        self.mask: Mask = np.zeros((n, turns), np.float32)
        self.own: Mask = np.zeros((n, turns), np.float32)

    def put(self, row: int, vectors: Vectors, own: Sequence[bool]) -> None:
        """Fill one context in.

        Args:
            row: which.
            vectors: float32 [m, turn_dim] of its turns, oldest first; those that do not fit are left out.
            own: m times whether the turn is of the one who answers.
        """
        kept = min(len(vectors), self.turns.shape[1])
        if kept:
            self.turns[row, -kept:] = vectors[-kept:]
            self.mask[row, -kept:] = 1
            self.own[row, -kept:] = own[-kept:]


class Heads:
    """Opened heads. Safe to share between threads."""

    def __init__(self, directory: Path, *, turns: int, turn_dim: int, dim: int) -> None:
        """Load both models; the directory's bytes must have been verified.

        Args:
            directory: holds the models.
            turns: most turns that the context head reads.
            turn_dim: length of a turn's vector.
            dim: length of the vectors that the heads make.

        Raises:
            BundleError: if a model cannot be read or has other inputs or outputs; names every file.
        """
        self.turns, self.turn_dim, self.dim = turns, turn_dim, dim
        shapes = {
            CONTEXT: {"turns": [self.turns, self.turn_dim], "mask": [self.turns], "own": [self.turns]},
            REPLY: {"turns": [self.turn_dim]},
        }
        errors: list[BundleError] = []
        sessions = []
        for name, inputs in shapes.items():
            try:
                sessions.append(_open_head(directory / name, inputs, self.dim))
            except (FormatError, ConsistencyError) as error:
                errors.append(error)
        if errors:
            raise BundleError.all_of(str(directory), errors)
        self._context, self._reply = sessions

    def context(self, vectors: Vectors, own: Sequence[bool]) -> Vectors:
        """Make the vector of one context.

        Args:
            vectors: float32 [m, turn_dim] of its turns, oldest first; only the last `turns` are read.
            own: m times whether the turn is of the one who answers.

        Returns:
            float32 [dim], of unit length.
        """
        laid = Contexts(1, self.turns, self.turn_dim)
        laid.put(0, vectors, own)
        vector: Vectors = self.contexts(laid)[0]
        return vector

    def contexts(self, laid: Contexts) -> Vectors:
        """Make the vectors of many contexts.

        Args:
            laid: n contexts.

        Returns:
            float32 [n, dim], rows of unit length.
        """
        feeds = {"turns": laid.turns, "mask": laid.mask, "own": laid.own}
        return _run(self._context, feeds)

    def replies(self, vectors: Vectors) -> Vectors:
        """Make the vectors of replies.

        Args:
            vectors: float32 [n, turn_dim] of their texts.

        Returns:
            float32 [n, dim], rows of unit length.
        """
        return _run(self._reply, {"turns": np.ascontiguousarray(vectors, np.float32)})


def _run(engine: Engine, feeds: dict[str, Any]) -> Vectors:
    rows = len(feeds["turns"])
    found = [
        engine.run({name: value[start : start + _BATCH] for name, value in feeds.items()})
        for start in range(0, rows, _BATCH)
    ]
    return np.concatenate(found)


def _open_head(path: Path, inputs: dict[str, list[int]], dim: int) -> Engine:
    check_onnx(path)
    engine = open_engine(path, CPU)
    found = {name: (kind, shape[1:]) for name, (kind, shape) in engine.inputs.items()}
    expected = {name: ("f32", shape) for name, shape in inputs.items()}
    made = {name: (kind, shape[1:]) for name, (kind, shape) in engine.outputs.items()}
    problems = []
    if found != expected:
        problems.append(Problem(f"{path.name} inputs", str(expected), str(found)[:200]))
    if made != {OUTPUT: ("f32", [dim])}:
        problems.append(Problem(f"{path.name} output", f"{OUTPUT} of {dim} floats", str(made)[:200]))
    if problems:
        raise ConsistencyError(str(path), problems)
    return engine


def fact_problems(manifest: Manifest, turn_dim: int | None = None) -> list[Problem]:
    """Check the facts that heads are opened by.

    Args:
        manifest: of a heads bundle.
        turn_dim: length of the vectorizer's vectors, if known.

    Returns:
        What cannot be right.
    """
    facts = manifest.facts
    problems = count_problems(facts, _MOST)
    if not problems and turn_dim not in (None, facts["turn_dim"]):
        problems.append(Problem("facts: turn_dim", str(turn_dim), str(facts["turn_dim"])))
    needed = (CONTEXT, REPLY, _TURNS, _CONTEXTS, _REPLIES)
    return problems + missing_files(manifest, needed)


def write_probes(directory: Path, heads: Heads, vectors: Vectors) -> None:
    """Record what the heads make of some turns.

    Args:
        directory: the bundle being built.
        heads: opened from it.
        vectors: float32 [n, turn_dim] of some turns.
    """
    turns = np.resize(vectors, (ROWS, heads.turns, heads.turn_dim)).astype(np.float32)
    np.save(directory / _TURNS, turns)
    np.save(directory / _CONTEXTS, heads.contexts(_probe_contexts(turns)))
    np.save(directory / _REPLIES, heads.replies(turns[:, -1]))


def _probe_contexts(turns: Vectors) -> Contexts:
    """Contexts of one turn, of two, and so on; speakers alternate, the first one too."""
    n, most, dim = turns.shape
    laid = Contexts(n, most, dim)
    for row in range(n):
        count = 1 + row % most
        laid.put(row, turns[row, -count:], [(row + place) % 2 == 0 for place in range(count)])
    return laid


def open_part(opening: Opening) -> Heads:
    """Load the heads of a release."""
    vectorizer: Vectorizer = opening.opened[VECTORIZER.bundle]
    return open_heads(opening.directory, opening.manifest, vectorizer.dim)


def open_heads(directory: Path, manifest: Manifest, turn_dim: int | None = None) -> Heads:
    """Load heads whose bytes have been verified.

    Args:
        directory: the heads bundle.
        manifest: its manifest.
        turn_dim: length of the vectorizer's vectors, if known.

    Returns:
        The heads.

    Raises:
        BundleError: if they are not what the manifest says.
    """
    if problems := fact_problems(manifest, turn_dim):
        raise ConsistencyError(str(directory), problems)
    return Heads(directory, **{name: manifest.facts[name] for name in HEADS.facts})


def probe(opening: Opening, heads: Heads) -> list[Problem]:
    """Compare what this machine makes of the recorded turns with what was recorded."""
    turns = map_array(opening.directory / _TURNS, np.float32, (None, heads.turns, heads.turn_dim))
    contexts, replies = (
        map_array(opening.directory / name, np.float32, (len(turns), heads.dim)) for name in (_CONTEXTS, _REPLIES)
    )
    found = heads.contexts(_probe_contexts(turns)), heads.replies(turns[:, -1])
    return [
        *stored_vectors_problems("context head", found[0], contexts, 0.0),
        *stored_vectors_problems("reply head", found[1], replies, 0.0),
    ]


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of both models, with what loading them takes besides."""
    del provider
    return sum(_FILE_FACTOR * manifest.files[name].size for name in (CONTEXT, REPLY))
