"""Ranker: a cross-encoder that reads the context once, and each reply after it, token by token.

One graph in two passes: of the context, before which nothing is known, for its keys and values; and of all replies
of a slate, which look at those and at themselves. The embeddings of words lie beside the graph, mapped, and once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rejoinder.errors import ConsistencyError, Problem
from rejoinder.parts import RANKER, VECTORIZER
from rejoinder.parts.arrays import map_array
from rejoinder.parts.engines import open_engine
from rejoinder.parts.onnx_guard import check_onnx
from rejoinder.parts.probes import TEXTS
from rejoinder.parts.reading import Ids, Reading
from rejoinder.release.forms import CPU
from rejoinder.release.manifest import Manifest, count_problems, missing_files

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening

GRAPH, WORDS = "ranker.onnx", "words.npy"
KNOWN, TOKENS, KINDS, THERE = "known", "tokens", "kinds", "there"
SCORES, NEW = "scores", "new_known"
#: Output that tells how likely a reply is after its context; others are named after reactions.
LIKELIHOOD = "likelihood"
#: Facts of the choice: what a retrieved reply must rank to be said, and before a theme of less than what fit.
CHOICES = ("min_rank", "over_themes", "sure_fit")
_PROBE = "scores.npy"
#: Largest difference of a score between two machines: those of a slate lie some 10 apart, and dynamic int8 rounds
#: an activation here and there otherwise where processors add in another order.
_ROUNDING = 0.1
_MOST = {
    "context_tokens": 512,
    "reply_tokens": 512,
    "layers": 64,
    "attention_heads": 64,
    "width": 1 << 14,
    "candidates": 1024,
}
_HEAVIEST = 1000
_FILE_FACTOR = 3  # bytes of memory per byte of model; as for the vectorizer
_BATCH = 8  # replies at a time, of like lengths

Scores = npt.NDArray[np.float32]


class Ranker:
    """An opened ranker. Safe to share between threads."""

    def __init__(self, directory: Path, facts: Mapping[str, Any], tokenizer: Path) -> None:
        """Load the graph; the directory's bytes must have been verified.

        Args:
            directory: holds it.
            facts: of its manifest.
            tokenizer: tokenizer.json of the vectorizer.

        Raises:
            BundleError: if the graph cannot be read or has other inputs or outputs, or the tokenizer other words.
        """
        self.candidates, self.outputs = int(facts["candidates"]), tuple(facts["outputs"])
        self.min_rank, self.over_themes, self.sure_fit = (float(facts[name]) for name in CHOICES)
        self.temperature = float(facts.get("temperature", 1.0))
        self._weights = np.array(facts["weights"], np.float32)
        self._reading = Reading(tokenizer, facts["context_tokens"], facts["reply_tokens"])
        layers, heads, width = facts["layers"], facts["attention_heads"], facts["width"]
        self._nothing = np.zeros((2 * layers, heads, 0, width // heads), np.float32)
        self._words = map_array(directory / WORDS, np.float16, (None, width))
        check_onnx(directory / GRAPH)
        self._engine = open_engine(directory / GRAPH, CPU)
        if problems := self._problems(width):
            raise ConsistencyError(str(directory), problems)

    def _problems(self, width: int) -> list[Problem]:
        found = {name: shape for name, (_, shape) in {**self._engine.inputs, **self._engine.outputs}.items()}
        expected = {TOKENS: [width], SCORES: [len(self.outputs)], KNOWN: list(self._nothing.shape[:2])}
        problems = []
        if set(found) != {*expected, KINDS, THERE, NEW}:
            problems.append(Problem("inputs and outputs", "those of a ranker", str(sorted(found))[:200]))
        elif {TOKENS: found[TOKENS][-1:], SCORES: found[SCORES][-1:], KNOWN: found[KNOWN][:2]} != expected:
            problems.append(Problem("inputs and outputs", "shapes as its facts say", str(found)[:200]))
        if len(self._words) != self._reading.vocabulary:
            problems.append(Problem(WORDS, f"{self._reading.vocabulary} rows", str(len(self._words))))
        return problems

    def scores(self, turns: Sequence[str], own: Sequence[bool], replies: Sequence[str]) -> Scores:
        """Score replies to a context.

        Args:
            turns: of the context, oldest first; at least one.
            own: of each turn, whether it is by the one who replies.
            replies: n texts.

        Returns:
            float32 [n, outputs].
        """
        made = np.zeros((len(replies), len(self.outputs)), np.float32)
        if not replies:
            return made
        asked, kinds = self._reading.context(self._reading.turns(turns), own)
        context = np.array([asked]), np.array([kinds])
        known = self._run(self._nothing, *context)[NEW]
        ids = self._reading.replies(replies)
        lengths = (ids != 0).sum(1)
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(order), _BATCH):
            some = order[start : start + _BATCH]
            rows = ids[some, : max(1, lengths[some].max())]
            made[some] = self._run(known, rows, np.ones_like(rows))[SCORES]
        return made

    @property
    def is_used(self) -> bool:
        """Whether any output weighs anything: none does where nothing was gained on validation."""
        return bool(self._weights.any())

    def added(self, scores: Scores) -> Scores:
        """What is added to what the heads say, float32 [n], of scores, float32 [n, outputs]."""
        weighed: Scores = scores @ self._weights
        return weighed

    def _run(self, known: npt.NDArray[np.float32], ids: Ids, kinds: Ids) -> dict[str, npt.NDArray[Any]]:
        feeds = {
            KNOWN: known,
            TOKENS: self._words[ids].astype(np.float32),
            KINDS: kinds,
            THERE: (ids != 0).astype(np.float32),
        }
        return self._engine.run_all(feeds)


def fact_problems(manifest: Manifest) -> list[Problem]:
    """Check the facts that a ranker is opened by.

    Args:
        manifest: of a ranker bundle.

    Returns:
        What cannot be right.
    """
    facts = manifest.facts
    problems = count_problems(facts, _MOST)
    if not problems and facts["width"] % facts["attention_heads"]:
        problems.append(
            Problem("facts: width", f"a multiple of {facts['attention_heads']} heads", str(facts["width"]))
        )
    outputs, weights = facts.get("outputs"), facts.get("weights")
    if not (isinstance(outputs, list) and outputs[:1] == [LIKELIHOOD] and {str} == set(map(type, outputs))):
        problems.append(Problem("facts: outputs", f"{LIKELIHOOD}, then reactions", "something else"))
    elif not (isinstance(weights, list) and len(weights) == len(outputs) and all(map(_is_weight, weights))):
        problems.append(Problem("facts: weights", f"a number up to {_HEAVIEST} an output", "something else"))
    problems += [
        Problem(f"facts: {name}", f"a number up to {_HEAVIEST}", "something else")
        for name in CHOICES
        if not _is_weight(facts.get(name))
    ]
    needed = (GRAPH, WORDS, _PROBE)
    return problems + missing_files(manifest, needed)


def _is_weight(weight: Any) -> bool:
    return type(weight) in {int, float} and abs(weight) <= _HEAVIEST


def write_probes(directory: Path, ranker: Ranker) -> None:
    """Record what a ranker says of the probe texts.

    Args:
        directory: the bundle being built.
        ranker: opened from it.
    """
    np.save(directory / _PROBE, _probe_scores(ranker))


def _probe_scores(ranker: Ranker) -> Scores:
    """Of every probe text after a dialogue of some of them, and after one alone."""
    both = (TEXTS[2:9], [n % 2 == 0 for n in range(7)]), (TEXTS[7:8], [False])
    return np.concatenate([ranker.scores(turns, own, TEXTS) for turns, own in both])


def open_ranker(directory: Path, manifest: Manifest, tokenizer: Path) -> Ranker:
    """Load a ranker whose bytes have been verified.

    Args:
        directory: the bundle.
        manifest: its manifest.
        tokenizer: tokenizer.json of the vectorizer.

    Returns:
        The ranker.

    Raises:
        BundleError: if it is not what the manifest says.
    """
    if problems := fact_problems(manifest):
        raise ConsistencyError(str(directory), problems)
    return Ranker(directory, manifest.facts, tokenizer)


def open_part(opening: Opening) -> Ranker:
    """Load the ranker of a release."""
    return open_ranker(opening.directory, opening.manifest, opening.opened[VECTORIZER.bundle].tokenizer_file)


def probe(opening: Opening, ranker: Ranker) -> list[Problem]:
    """Compare what this machine says of the probe texts with what was recorded."""
    found = _probe_scores(ranker)
    expected = map_array(opening.directory / _PROBE, np.float32, found.shape)
    off = float(np.abs(found - expected).max(initial=0))
    return [] if off <= _ROUNDING else [Problem(RANKER.name, f"scores within {_ROUNDING:g}", f"off by {off:.3g}")]


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of the graph, with what loading it takes besides; words are mapped."""
    del provider
    return _FILE_FACTOR * manifest.files[GRAPH].size
