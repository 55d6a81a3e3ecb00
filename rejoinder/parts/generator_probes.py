"""Probes of a generator: the tokens that it reads of fixed texts, and what it thinks likely after them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rejoinder.errors import Problem
from rejoinder.parts import GENERATOR
from rejoinder.parts.arrays import map_array
from rejoinder.parts.probes import TEXTS
from rejoinder.parts.prompt import Prompt
from rejoinder.parts.sampling import Logits, log_softmax

#: Logits after a context, and after some more tokens of two replies: of turns, and whose they are.
Next = Callable[[Sequence[str], Sequence[bool]], list[Logits]]

_TURNS = "turns.npy"
_CHOICES = 64  # tokens of the vocabulary, evenly apart, whose likelihood is compared
_DIALOGUES = (TEXTS[2:5], TEXTS[6:8], TEXTS[10:12], TEXTS[20:22], TEXTS[25:26])


def probe_file(form: str) -> str:
    """File name of what one form said of the probes at the build."""
    return f"probes.{form}.npy"


def write_probes(directory: Path, prompt: Prompt, next_logits: Next, form: str) -> None:
    """Record what a generator makes of the probe texts.

    Args:
        directory: the bundle being built.
        prompt: how it reads.
        next_logits: what it computes.
        form: of its graph.
    """
    np.save(directory / _TURNS, _turns(prompt))
    np.save(directory / probe_file(form), _likely(next_logits))


def probe_problems(
    directory: Path, prompt: Prompt, next_logits: Next | None, form: str, tolerance: float
) -> list[Problem]:
    """Compare what this machine makes of the probe texts with what was recorded.

    Args:
        directory: the verified bundle.
        prompt: how it reads.
        next_logits: what it computes; None to compare tokens alone.
        form: of its graph.
        tolerance: mean difference of log-probabilities that is rounding, in nats.

    Returns:
        What differs.
    """
    turns = _turns(prompt)
    if not np.array_equal(map_array(directory / _TURNS, np.uint64, turns.shape), turns):
        return [Problem(GENERATOR.name, "the recorded tokens of the probe texts", "others")]
    if next_logits is None:
        return []
    found = _likely(next_logits)
    off = float(np.abs(found - map_array(directory / probe_file(form), np.float32, found.shape)).mean())
    if off <= tolerance:
        return []
    return [Problem(GENERATOR.name, f"log-probabilities within {tolerance:g} on average", f"off by {off:.3g}")]


def _turns(prompt: Prompt) -> npt.NDArray[np.uint64]:
    """A digest of the tokens of every probe text as a turn of either side, uint64 [2 n]."""
    every = [prompt.turn(text, own) for own in (False, True) for text in TEXTS]
    digests = [hashlib.blake2b(np.array(ids, "<i8").tobytes(), digest_size=8).digest() for ids in every]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _likely(next_logits: Next) -> npt.NDArray[np.float32]:
    """Log-probabilities of some tokens after dialogues, and after two more tokens in two replies: [n, 64]."""
    rows = []
    for turns in _DIALOGUES:
        rows += next_logits(turns, [n % 2 == 1 for n in range(len(turns))][::-1])
    likely = log_softmax(np.concatenate(rows))
    return np.ascontiguousarray(likely[:, np.linspace(0, likely.shape[1] - 1, _CHOICES).astype(np.int64)])
