"""How forms of an encoder fare, each on every engine of this machine, side by side in one run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from rejoinder.parts.arrays import Vectors, cosines, worst_distance
from rejoinder.parts.engines import available_providers
from rejoinder.parts.vectorizer import Vectorizer
from rejoinder.release.forms import CUDA, PROBE_VECTORS, ROUNDING, Execution, model_file
from rejoinder.release.vectorizer_spec import VectorizerSpec

_ALONE = 64  # texts encoded one by one
#: No two machines agree more closely: float arithmetic in another order, 8-bit steps that tip over.
_NEAREST = {"int8": 1e-4}
_NEAREST_FLOAT = 1e-6
#: Room for processors that nobody has tried yet, and for texts that are not in the sample.
_ROOM, _STORED_ROOM = 3.0, 1.5


@dataclass(frozen=True, slots=True)
class Measured:
    """One form on one engine, over the sample.

    Attributes:
        form: its name.
        provider: what ran it.
        megabytes: file size.
        per_cpu_second: texts encoded per CPU-second in batches, median of the rounds.
        one_by_one: the same, one text at a time.
        mean_cosine: of its vectors with torch's.
        min_cosine: the worst of them.
        batch_distance: largest 1 - cos between a text's vector alone and among others.
    """

    form: str
    provider: str
    megabytes: float
    per_cpu_second: float
    one_by_one: float
    mean_cosine: float
    min_cosine: float
    batch_distance: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One form on one engine: its figures, and its vectors of the sample, float32 [n, dim]."""

    measured: Measured
    vectors: Vectors


def try_out(
    directory: Path, spec: VectorizerSpec, texts: list[str], truth: Vectors, rounds: int
) -> dict[Execution, Trial]:
    """Encode the sample by every form on every CPU engine, round after round, so that all share the weather.

    Args:
        directory: holds the files named in the specification.
        spec: of the forms; the first one makes what bundles hold.
        texts: the sample.
        truth: torch's vectors, float32 [n, dim].
        rounds: how often.

    Returns:
        A trial for each execution; those of one form stand together, in the order of the specification.
    """
    providers = [provider for provider in available_providers() if provider != CUDA]
    opened = {
        (form, provider): Vectorizer(directory, spec, Execution(form, provider, "", 0.0, 0.0))
        for form in spec.weights
        for provider in providers
    }
    few = texts[:_ALONE]
    seconds: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in opened}
    vectors, alone = {}, {}
    for _ in range(rounds):
        for key, vectorizer in opened.items():
            start = time.process_time()
            vectors[key] = vectorizer.encode(texts)
            between = time.process_time()
            alone[key] = np.concatenate([vectorizer.encode([text]) for text in few])
            seconds[key].append((between - start, time.process_time() - between))
    trials = {}
    for key, vectorizer in opened.items():
        batched, single = np.median(seconds[key], axis=0)
        agreement = cosines(vectors[key], truth)
        found = Measured(
            *key,
            megabytes=(directory / model_file(key[0])).stat().st_size / 1e6,
            per_cpu_second=len(texts) / float(batched),
            one_by_one=len(few) / float(single),
            mean_cosine=float(agreement.mean()),
            min_cosine=float(agreement.min()),
            batch_distance=worst_distance(alone[key], vectors[key][: len(few)]),
        )
        trials[vectorizer.execution] = Trial(found, vectors[key])
    return trials


def executions(trials: dict[Execution, Trial]) -> list[Execution]:
    """What the bundle will say of each form on each engine: how near it comes to its own probes and to stored rows.

    Args:
        trials: by execution; the first one made what bundles hold.

    Returns:
        The executions, and the first form on CUDA, whose own vectors nobody could record here.
    """
    first = next(iter(trials))
    made = []
    for execution, trial in trials.items():
        form, provider = execution.form, execution.provider
        same = [other.vectors for key, other in trials.items() if key.form == form]
        apart = max((worst_distance(a, b) for a, b in combinations(same, 2)), default=0.0)
        nearest = _NEAREST.get(form, _NEAREST_FLOAT)
        stored = max(ROUNDING, nearest, _STORED_ROOM * worst_distance(trial.vectors, trials[first].vectors))
        probes = PROBE_VECTORS if execution is first else f"probes.{form}.{provider.lower()}.npy"
        made.append(Execution(form, provider, probes, max(nearest, _ROOM * apart), max(stored, _ROOM * apart)))
    return [*made, Execution(first.form, CUDA, PROBE_VECTORS, ROUNDING, ROUNDING)]
