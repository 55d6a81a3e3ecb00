"""Facts of a generator: the files of its bundle, and what its manifest must tell to be opened by."""

from __future__ import annotations

from rejoinder.errors import Problem
from rejoinder.parts.generator_probes import probe_file
from rejoinder.parts.prompt import Template
from rejoinder.parts.sampling import Sampling
from rejoinder.release.manifest import Manifest, count_problems, missing_files
from rejoinder.release.tokenizer_file import TOKENIZER

EMBEDDINGS, SCALES, CHOICES, SPANS = "embeddings.npy", "scales.npy", "choices.npy", "spans.npy"
#: When a generator is asked: never, always, or where the best retrieved reply scores below a threshold.
OFF, ALWAYS, BELOW = WHEN = "off", "always", "below"
_MOST = {"window": 1 << 13, "layers": 256, "kv_heads": 256, "head_dim": 1024, "width": 1 << 14}


def graph_file(form: str) -> str:
    """File name of one form of the graph."""
    return f"generator.{form}.onnx"


def fact_problems(manifest: Manifest) -> list[Problem]:
    """Check the facts that a generator is opened by.

    Args:
        manifest: of a generator bundle.

    Returns:
        What cannot be right.
    """
    facts = manifest.facts
    problems = count_problems(facts, _MOST)
    for name, read in (("template", Template.of), ("sampling", Sampling.of)):
        try:
            read(facts.get(name) or {})
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            problems.append(Problem(f"facts: {name}", "one that can be used", str(error)[:200]))
    if facts.get("when") not in WHEN:
        problems.append(Problem("facts: when", " or ".join(WHEN), "something else"))
    if type(facts.get("below")) not in {int, float}:
        problems.append(Problem("facts: below", "a number", "something else"))
    for name in ("kin", "never"):
        found = facts.get(name)
        if not (isinstance(found, list) and all(isinstance(word, str) for word in found)):
            problems.append(Problem(f"facts: {name}", "words", "something else"))
    executions = facts.get("executions")
    if not (isinstance(executions, list) and executions and all(map(_is_execution, executions))):
        return [*problems, Problem("facts: executions", "form, provider and tolerance of each", "something else")]
    needed = [TOKENIZER, EMBEDDINGS, SCALES, CHOICES, SPANS]
    needed += [name(one["form"]) for one in executions for name in (graph_file, probe_file)]
    return problems + missing_files(manifest, needed)


def _is_execution(one: object) -> bool:
    if not (isinstance(one, dict) and set(one) == {"form", "provider", "tolerance"}):
        return False
    return all(isinstance(one[n], str) for n in ("form", "provider")) and type(one["tolerance"]) in {int, float}
