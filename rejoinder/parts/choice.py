"""Choice: which form of a model runs fastest on this machine, and by what.

Measured when a model is first opened here, one text at a time as in serving; then noted, for this model and this
processor. A note never spares a proof: every form that this machine can run is proved before it is timed, and the
chosen one at every opening.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

from rejoinder.errors import InputError, ProbeError, Problem
from rejoinder.parts.notes import Note, note_path, read_note, write_note
from rejoinder.parts.probes import TEXTS, model_problems
from rejoinder.release.forms import CUDA, Execution, executions_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rejoinder.parts.opening import Opening
    from rejoinder.parts.vectorizer import Vectorizer

    Load = Callable[[Execution], Vectorizer]

#: What another form must be faster by: a smaller gain is gone on the next busy day.
_CLEARLY = 1.1
_SECONDS = 0.2  # for each form that is timed
_log = logging.getLogger(__name__)


def open_chosen(opening: Opening, found: list[Execution], load: Load) -> Vectorizer:
    """Load a model by what suits this machine.

    Args:
        opening: of a model bundle.
        found: what this machine can run of it, at least one.
        load: opens the model.

    Returns:
        If a provider was asked for, by the first of the bundle's executions that it runs; else by the fastest.

    Raises:
        InputError: if none of them starts.
        ProbeError: if one does not reproduce the recorded vectors.
    """
    if opening.provider is not None or len(found) == 1:
        return load(found[0])
    path = opening.choices and note_path(opening.choices, opening.manifest.digest)
    noted = read_note(path) if path else None
    for execution in found:
        if noted and str(execution) == noted.execution:
            try:
                return load(execution)
            except InputError as error:  # an engine that has gone since: whatever else is here may do
                _log.warning("%s is used no more: %s", execution, error)
    rates = measure(opening.directory, found, load)
    best = fastest(rates)
    if path:
        skipped = [str(one) for one in executions_of(opening.manifest.facts) if one not in rates]
        write_note(path, Note(str(best), {str(one): rate for one, rate in rates.items()}, tuple(skipped)))
    return load(best)


def measure(directory: Path, executions: list[Execution], load: Load) -> dict[Execution, float]:
    """Prove and time executions, one after another, none of them kept open.

    Args:
        directory: the model bundle.
        executions: to be tried.
        load: opens the model.

    Returns:
        Texts a second, one at a time, of those whose engine could be started.

    Raises:
        InputError: if no engine could.
        ProbeError: if one does not reproduce the recorded vectors; names all that do not.
    """
    rates: dict[Execution, float] = {}
    problems: list[Problem] = []
    lacking: InputError | None = None
    for execution in executions:
        try:
            rates[execution], wrong = _try(directory, execution, load)
        except InputError as error:  # the engine, not the form: a form that does not load is refused
            _log.warning("%s is not used: %s", execution, error)
            lacking = error
        else:
            problems += wrong
    if problems:
        raise ProbeError(str(directory), problems)
    if lacking and not rates:
        raise lacking
    return rates


def _try(directory: Path, execution: Execution, load: Load) -> tuple[float, list[Problem]]:
    vectorizer = load(execution)
    wrong = model_problems(directory, vectorizer)
    return _rate(vectorizer), [Problem(f"{execution}, {p.where}", p.expected, p.got) for p in wrong]


def fastest(rates: Mapping[Execution, float]) -> Execution:
    """The fastest execution: a GPU where there is one, else the first one unless another is clearly faster."""
    if on_gpu := [execution for execution in rates if execution.provider == CUDA]:
        return on_gpu[0]
    first, *_ = rates
    best = max(rates, key=lambda execution: rates[execution])
    return best if rates[best] >= _CLEARLY * rates[first] else first


def _rate(vectorizer: Vectorizer) -> float:
    """Texts a second, one at a time; a text counts with its best time, so that a busy moment does not decide."""
    texts = [text for text in TEXTS if 2 < len(text) < 64]
    best = dict.fromkeys(texts, float("inf"))
    end = time.perf_counter() + _SECONDS
    for text in cycle(texts):
        start = time.perf_counter()
        vectorizer.encode([text])
        best[text] = min(best[text], time.perf_counter() - start)
        if time.perf_counter() > end and max(best.values()) < float("inf"):
            break
    return len(texts) / sum(best.values())
