"""Diversity: how varied, repetitive, borrowed and long replies are, beside people's to the same contexts.

Of the tuned model and of the base replies are drawn as the release draws them, at most 48 tokens, two tries where
none ends; `shipped` is what the release would say of the first reply that its filter lets through; retrieval is
the best that it finds. Distinct n-grams of equally many words for everybody: as many as who said least has said;
the mean of the seeds. Repeated: n-grams of four words that the reply holds twice or its side has said before;
copied: that the other side has said.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

from benchmarks.generator.held_out import Item
from benchmarks.generator.samples import Samples, samples_of
from benchmarks.generator.setting import Setting
from benchmarks.generator.wordings import copied, distinct, repeated
from benchmarks.parts import Figures, Part
from benchmarks.report import table
from rejoinder.text import words

_WORDS = 1500


def measure(setting: Setting) -> Figures:
    """Draw samples and look at them."""
    return figures_of(samples_of(setting), setting.pick(_WORDS, 60))


def figures_of(samples: Samples, tokens: int) -> Figures:
    """What a machine sees of samples.

    Args:
        samples: by system and seed.
        tokens: words of which distinct n-grams are counted; fewer, if somebody has said fewer.

    Returns:
        Figures by system, the mean of its seeds; None where nothing was said.
    """
    said = [sum(len(words(text)) for text in texts if text) for of in samples.texts.values() for texts in of]
    tokens = min([tokens, *(count for count in said if count)])
    systems = {
        name: [_of_seed(samples.items, texts, tokens) for texts in by_seed]
        for name, by_seed in samples.texts.items()
    }
    return {
        "contexts": len(samples.items),
        "words": tokens,
        "systems": {name: {key: _mean([one[key] for one in of]) for key in of[0]} for name, of in systems.items()},
        "seeds": {name: len(of) for name, of in systems.items()},
    }


def _of_seed(items: Sequence[Item], texts: Sequence[str | None], tokens: int) -> dict[str, float | None]:
    said = [(item, text) for item, text in zip(items, texts, strict=True) if text]
    lengths = sorted(len(words(text)) for _, text in said)
    return {
        "answered": len(said) / len(items),
        "distinct1": distinct([text for _, text in said], 1, tokens),
        "distinct2": distinct([text for _, text in said], 2, tokens),
        "different": len({tuple(words(text)) for _, text in said}) / len(said) if said else None,
        "repeated": _mean([repeated(text, item.earlier) for item, text in said]),
        "copied": _mean([copied(text, item.others) for item, text in said]),
        "median": float(median(lengths)) if lengths else None,
        "long": float(lengths[int(0.9 * (len(lengths) - 1))]) if lengths else None,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


_COLUMNS = {
    "answered": ("answered", ".0%"),
    "distinct1": ("distinct-1", ".3f"),
    "distinct2": ("distinct-2", ".3f"),
    "different": ("different replies", ".1%"),
    "repeated": ("repeated 4-grams", ".2%"),
    "copied": ("copied 4-grams", ".2%"),
    "median": ("words, median", ".0f"),
    "long": ("90 of 100 below", ".0f"),
}


def report(figures: Figures) -> str:
    """A row a system."""
    rows = [
        [f"{name} ({figures['seeds'][name]})", *(_show(of[key], how) for key, (_, how) in _COLUMNS.items())]
        for name, of in figures["systems"].items()
    ]
    about = f"{figures['contexts']:,} contexts; distinct n-grams of {figures['words']:,} words; seeds in brackets."
    return f"{about}\n\n{table(['who', *(title for title, _ in _COLUMNS.values())], rows)}"


def _show(value: float | None, how: str) -> str:
    return "-" if value is None else f"{value:{how}}"


PART = Part("diversity", "Samples beside people", measure, report, __doc__ or "")
