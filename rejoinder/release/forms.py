"""Forms of a model, and what can run each of them: the names of files, and what a bundle says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rejoinder.errors import Problem
from rejoinder.parts import VECTORIZER

CPU, CUDA, OPENVINO = "CPUExecutionProvider", "CUDAExecutionProvider", "openvino"
#: What can run a model; the first two are ONNX Runtime's names of its own, OpenVINO runs on CPUs.
_PROVIDERS = (CPU, CUDA, OPENVINO)
#: What bundles that do not say so themselves have for whom; see docs/bundle-format.md.
_BEFORE = {CPU: "cpu", CUDA: "fp16"}
PROBE_VECTORS = "probes.npy"
#: No signature makes vectors right that are further apart than this; those of strangers are at about 1.
MAX_TOLERANCE = 0.1
#: Stored rows are fp16: rounding moves a vector by less than this in 1 - cos.
ROUNDING = 1e-5
_MOST = 16  # executions; each is loaded and timed where a model is first opened


def model_file(form: str) -> str:
    """File name of one ONNX form."""
    return f"model.{form}.onnx"


@dataclass(frozen=True, slots=True)
class Execution:
    """One form of a model on one engine, and how near it comes to what is recorded.

    Attributes:
        form: which of the model's files.
        provider: what runs it; a name that this version does not know is none that it has.
        probes: file with the probe texts' vectors, as this very execution made them at the build.
        tolerance: largest 1 - cos between a probe's vector here and there.
        stored: largest 1 - cos between a vector made here and one that a bundle holds.
    """

    form: str
    provider: str
    probes: str
    tolerance: float
    stored: float

    def __str__(self) -> str:
        return f"{self.form} on {self.provider}"


def executions_of(facts: Mapping[str, Any]) -> tuple[Execution, ...]:
    """What a model bundle can be run by.

    Args:
        facts: of its manifest, checked by `execution_problems`.

    Returns:
        Every execution; the first one made the vectors that bundles hold.
    """
    if "executions" in facts:
        return tuple(Execution(**execution) for execution in facts["executions"])
    tolerance, weights = facts["tolerance"], facts[VECTORIZER.name]["weights"]
    return tuple(
        Execution(form, provider, PROBE_VECTORS, tolerance[provider], tolerance[provider])
        for provider, form in _BEFORE.items()
        if form in weights
    )


def execution_problems(facts: Mapping[str, Any], files: Mapping[str, object]) -> list[Problem]:
    """Check what a model bundle says of how it can be run.

    Args:
        facts: of its manifest.
        files: of the bundle, by name.

    Returns:
        What cannot be right.

    Raises:
        KeyError: if something is missing.
        TypeError: if something is of another type.
    """
    executions = executions_of(facts)
    names = [value for one in executions for value in (one.form, one.provider, one.probes)]
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a name of an execution is no text")
    problems = []
    if not 0 < len(executions) <= _MOST or len({str(one) for one in executions}) < len(executions):
        got = f"{len(executions)}, {len({str(one) for one in executions})} of them different"
        problems.append(Problem("model facts", f"1 to {_MOST} different executions", got))
    if not all(_is_tolerance(value) for one in executions for value in (one.tolerance, one.stored)):
        problems.append(Problem("model facts", "a tolerance for the provider of every form", "something else"))
    elif "executions" in facts and executions and executions[0].stored > ROUNDING:
        problems.append(Problem("model facts", f"a first execution that made the rows ({ROUNDING:g})", "another"))
    return problems + _form_problems(executions, facts, files)


def _form_problems(
    executions: tuple[Execution, ...], facts: Mapping[str, Any], files: Mapping[str, object]
) -> list[Problem]:
    """Forms outside the VectorizerId, forms that nothing could run, and files that are not there."""
    weights = facts[VECTORIZER.name]["weights"]
    problems = [
        Problem(f"model/{name}"[:80], "a file of the bundle", "nothing")
        for one in executions
        for name in (model_file(one.form), one.probes)
        if name not in files
    ]
    problems += [
        Problem("model facts", f"executions of {', '.join(sorted(weights))} alone"[:200], str(one)[:80])
        for one in executions
        if one.form not in weights and model_file(one.form) in files
    ]
    runnable = {one.form for one in executions if one.provider in _PROVIDERS}
    if idle := sorted(set(weights) - runnable) if "executions" in facts else []:
        problems.append(Problem("model facts", "an execution of every form", f"none of {', '.join(idle)}"[:200]))
    return problems


def _is_tolerance(value: object) -> bool:
    return isinstance(value, float) and 0 <= value <= MAX_TOLERANCE
