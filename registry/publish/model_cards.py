"""Model cards: what a trained model of a release is for, what it cannot do, and how good it was found to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rejoinder.parts import VECTORIZER
from rejoinder.release.manifest import Manifest

#: Packages that carry data into a build.
DATASETS = ("chitchat-dataset", "seinfeld-laugh-corpus")
#: What an interval of 95%, written as `low` and `high`, belongs to.
_ESTIMATES = ("difference", "r_at_1", "value")
#: What whoever deploys a guard must know; how often it is right stands among the metrics (`guard/...`).
_GUARD_LIMITS = (
    "The guard was tested on suites in English by other hands than its examples; it knows no other language",
    "It misses distress in veiled words more often than in plain ones, and calls nobody: it names helplines",
)
_LOGS = {
    "type": "dataset",
    "name": "chat logs",
    "description": "The publisher's own, if there were any; provenance.json holds their digest",
    "sensitiveData": ["conversations of people"],
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, with its 95% interval if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


def estimates(metrics: Mapping[str, float]) -> dict[str, Estimate]:
    """Join figures with their intervals.

    Args:
        metrics: numbers by slash-joined key, as `registry.publish.verdict` reads them; `a/low` and `a/high` are the
            interval of `a/difference`, `a/r_at_1` or `a/value`.

    Returns:
        Figures by key, sorted; bounds are no figures of their own.
    """
    found: dict[str, Estimate] = {}
    bounds: set[str] = set()
    for key in metrics:
        parent, _, name = key.rpartition("/")
        low, high = f"{parent}/low", f"{parent}/high"
        if name in _ESTIMATES and low in metrics and high in metrics:
            found[key] = Estimate(metrics[key], metrics[low], metrics[high])
            bounds |= {low, high}
    found |= {key: Estimate(value) for key, value in metrics.items() if key not in found and key not in bounds}
    return dict(sorted(found.items()))


def encoder_card(model: Manifest, metrics: Mapping[str, float], *, is_guarded: bool) -> dict[str, Any]:
    """Write the card of a vectorizer.

    Args:
        model: manifest of its bundle.
        metrics: what the gate judged, by slash-joined key.
        is_guarded: whether its release has a guard.

    Returns:
        A model card of CycloneDX.
    """
    spec = model.facts[VECTORIZER.name]
    card = _card(
        task="sentence embedding, for retrieving replies",
        output=f"{spec['dtype']} [{spec['dim']}], scaled: {spec['output']}",
        metrics=metrics,
        use="Finding a fitting reply in open-domain chat, among replies that people gave",
        risk="It learned from conversations of people",
        mitigation="Messages are anonymised before training; a build is blessed only if an audit finds no planted "
        "secret and no reply that too few people said",
    )
    reads = f"Reads {spec['max_length']} tokens of a text; a longer one loses its beginning"
    card["considerations"]["technicalLimitations"] = [reads, *(_GUARD_LIMITS if is_guarded else ())]
    return card


def generator_card(generator: Manifest, metrics: Mapping[str, float]) -> dict[str, Any]:
    """Write the card of a generator.

    Args:
        generator: manifest of its bundle.
        metrics: what the gate judged, by slash-joined key.

    Returns:
        A model card of CycloneDX.
    """
    card = _card(
        task="text generation: replies in open-domain chat",
        output="text",
        metrics={key: value for key, value in metrics.items() if key.startswith("generating/")},
        use="Offering replies beside those that people gave; a ranker chooses, guard and filters refuse",
        risk="It may repeat what somebody said",
        mitigation="It says only words of many people; a build is blessed only if no sample repeats what one "
        "person alone said, names anybody or claims to be human",
    )
    card["considerations"]["technicalLimitations"] = [
        f"Reads {generator.facts['window']} tokens of a dialogue; older turns are left out whole",
        "Small: it states what is not so, and follows no instructions",
    ]
    return card


def _card(
    *, task: str, output: str, metrics: Mapping[str, float], use: str, risk: str, mitigation: str
) -> dict[str, Any]:
    datasets: Sequence[dict[str, Any]] = [*({"ref": f"package/{name}"} for name in DATASETS), _LOGS]
    return {
        "modelParameters": {
            "approach": {"type": "self-supervised"},
            "task": task,
            "architectureFamily": "transformer",
            "datasets": datasets,
            "inputs": [{"format": "text"}],
            "outputs": [{"format": output}],
        },
        "quantitativeAnalysis": {"performanceMetrics": _performance(estimates(metrics))},
        "considerations": {
            "useCases": [use],
            "ethicalConsiderations": [{"name": risk, "mitigationStrategy": mitigation}],
        },
    }


def _performance(found: Mapping[str, Estimate]) -> list[dict[str, Any]]:
    return [
        {"type": key, "value": repr(e.value)}
        | ({} if e.low is None else {"confidenceInterval": {"lowerBound": repr(e.low), "upperBound": repr(e.high)}})
        for key, e in found.items()
    ]
