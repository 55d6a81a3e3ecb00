"""Generator: a language model that says what nobody has prepared.

One graph in two uses: of the context, once, for its keys and values; and of all replies side by side, which look
at those, shared, and at their own. Embeddings lie beside the graph, mapped; of the vocabulary only what may be said
has an output. What it says is kept only if it is made of what many people say (`rejoinder.parts.public_spans`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from rejoinder.errors import ConsistencyError, InputError, ProbeError, Problem
from rejoinder.parts import GENERATOR
from rejoinder.parts.arrays import map_array
from rejoinder.parts.decoder import Decoder, Shape
from rejoinder.parts.engines import available_providers
from rejoinder.parts.generator_facts import (
    CHOICES,
    EMBEDDINGS,
    OFF,
    SCALES,
    SPANS,
    fact_problems,
    graph_file,
)
from rejoinder.parts.generator_probes import probe_problems
from rejoinder.parts.prompt import Prompt, Template
from rejoinder.parts.public_spans import PublicSpans
from rejoinder.parts.sampling import Choices, Logits, Sampling, draw, log_softmax
from rejoinder.release.manifest import Manifest
from rejoinder.release.tokenizer_file import TOKENIZER
from rejoinder.text import normalize

if TYPE_CHECKING:
    from rejoinder.parts.opening import Opening

_FILE_FACTOR = 3  # bytes of memory per byte of graph; as for the vectorizer
_TOGETHER = 16  # replies whose likelihood is computed at once


def always() -> bool:
    """Whether to go on, where nobody is in a hurry."""
    return True


@dataclass(frozen=True, slots=True)
class Generated:
    """One finished reply.

    Attributes:
        text: the reply.
        log_probability: of all its tokens with what ended it, by the model itself, in nats.
        tokens: how many those are.
    """

    text: str
    log_probability: float
    tokens: int


class Generator:
    """An opened generator. Safe to share between threads."""

    def __init__(
        self, directory: Path, facts: Mapping[str, Any], execution: Mapping[str, Any], *, is_asleep: bool = False
    ) -> None:
        """Load one form; the directory's bytes must have been verified.

        Args:
            directory: holds it.
            facts: of its manifest, checked by `fact_problems`.
            execution: which form, by which provider.
            is_asleep: whether to leave the graph, which takes a second and its size in memory, until `wake`.

        Raises:
            BundleError: if a file is not what the facts say.
        """
        self._directory, self._waking = directory, Lock()
        self.facts, self.execution = facts, execution
        self.when, self.below = str(facts["when"]), float(facts["below"])
        self.sampling = Sampling.of(facts["sampling"])
        self.prompt = Prompt(directory / TOKENIZER, Template.of(facts["template"]), int(facts["window"]))
        width, rows = facts["width"], self.prompt.vocabulary
        self._embeddings = map_array(directory / EMBEDDINGS, np.int8, (rows, width))
        self._scales = map_array(directory / SCALES, np.float16, (rows,))
        self._choices = np.array(map_array(directory / CHOICES, np.int32, (None,)))
        self._places = _places(directory, self._choices, rows)
        self._public = PublicSpans(map_array(directory / SPANS, np.uint64, (None,)), facts["kin"], facts["never"])
        self._graph: Decoder | None = None if is_asleep else self._loaded()
        if self._places[self.prompt.end] < 0:
            problem = Problem(CHOICES, "the token that ends a turn", "none")
            raise ConsistencyError(str(directory), [problem])

    def _loaded(self) -> Decoder:
        facts, execution = self.facts, self.execution
        shape = Shape(facts["layers"], facts["kv_heads"], facts["head_dim"], facts["width"], len(self._choices))
        return Decoder(self._directory / graph_file(execution["form"]), execution["provider"], shape)

    def wake(self) -> None:
        """Load and probe the graph, if that was left until somebody asks.

        Raises:
            BundleError: if the graph is not what the facts say.
            ProbeError: if this machine computes something else than was recorded.
        """
        with self._waking:
            if self._graph is None:
                graph = self._loaded()
                if problems := self._problems(graph):
                    raise ProbeError(str(self._directory), problems)
                self._graph = graph  # only now: others answer meanwhile

    @property
    def _decoder(self) -> Decoder:
        if self._graph is None:
            self.wake()
        return cast(Decoder, self._graph)

    def problems(self) -> list[Problem]:
        """Compare what it reads of the probe texts, and if it is awake computes, with what was recorded."""
        return self._problems(self._graph)

    def _problems(self, graph: Decoder | None) -> list[Problem]:
        form, tolerance = self.execution["form"], float(self.execution["tolerance"])
        computed = None if graph is None else partial(self._next_logits, graph)
        return probe_problems(self._directory, self.prompt, computed, form, tolerance)

    def generate(
        self,
        turns: Sequence[str],
        own: Sequence[bool],
        *,
        sampling: Sampling | None = None,
        seed: int | None = None,
        goes_on: Callable[[], bool] = always,
        is_public: bool = True,
    ) -> list[Generated]:
        """Draw replies to a context.

        Args:
            turns: of the context, oldest first.
            own: of each turn, whether it is by the one who replies.
            sampling: how; by default as the bundle says.
            seed: of the draws; None for others each time.
            goes_on: asked after every token; once it says no, what is unfinished is given up.
            is_public: whether to leave out what is not made of what many people say; else for who judges it.

        Returns:
            Replies that ended by themselves, each once, in the order in which they ended.
        """
        sampling = sampling or self.sampling
        if sampling.n == 0 or not goes_on():
            return []
        logits, read = self._read(self._decoder, turns, own)
        said = np.zeros((sampling.n, len(self._choices)), bool)
        logits = np.repeat(logits, sampling.n, 0)
        random, done = np.random.default_rng(seed), dict[str, Generated]()
        replies, sums, known = np.zeros((sampling.n, 0), np.int64), np.zeros(sampling.n), None
        for _ in range(sampling.max_tokens):
            chosen, likely = draw(logits, said, sampling, random)
            replies, sums = np.column_stack([replies, self._choices[chosen]]), sums + likely
            texts = [self._ended(reply, sampling.stop) for reply in replies]
            for text, reply, likelihood in zip(texts, replies, sums, strict=True):
                if text:
                    done.setdefault(normalize(text), Generated(text, float(likelihood), len(reply)))
            going = np.array([text is None for text in texts])
            if not going.any() or not goes_on():
                break
            said[np.arange(len(chosen)), chosen] = True
            replies, sums, said = replies[going], sums[going], said[going]
            known = None if known is None else known[:, going]
            logits, known = self._decoder.step(self._embed(replies[:, -1:]), read, known)
        return [reply for reply in done.values() if not is_public or self.is_public(reply.text)]

    def is_public(self, text: str) -> bool:
        """Whether a text is made of what many people say."""
        return self._public.allow(text)

    def _ended(self, reply: Choices, stop: Sequence[str]) -> str | None:
        """The text of a reply that has ended, by its last token or by a text that stops it; else None."""
        is_over = reply[-1] == self.prompt.end
        if not stop and not is_over:
            return None
        text = self.prompt.decode((reply[:-1] if is_over else reply).tolist()).lstrip()
        cuts = [at for at in map(text.find, stop) if at >= 0]
        return text[: min(cuts)].strip() if cuts else (text.strip() if is_over else None)

    def log_probabilities(
        self, turns: Sequence[str], own: Sequence[bool], replies: Sequence[str]
    ) -> tuple[npt.NDArray[np.float64], Choices]:
        """Tell how likely replies are.

        Args:
            turns: of the context, oldest first.
            own: of each turn, whether it is by the one who replies.
            replies: n texts.

        Returns:
            float64 [n], in nats, of all tokens of a reply with the one that ends it, NaN where one of them cannot
            be said; and int64 [n], how many those are.
        """
        first, read = self._read(self._decoder, turns, own)
        rows = [[*self.prompt.text(reply), self.prompt.end] for reply in replies]
        sums, lengths = np.full(len(rows), np.nan), np.array([len(row) for row in rows], np.int64)
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(rows), _TOGETHER):
            some = order[start : start + _TOGETHER]
            sums[some] = self._sums([rows[n] for n in some], first, read)
        return sums, lengths

    def next_logits(self, turns: Sequence[str], own: Sequence[bool]) -> list[Logits]:
        """What comes next after a context, and after one and after two more tokens of two replies, for probes.

        Args:
            turns: of the context, oldest first.
            own: of each turn, whether it is by the one who replies.

        Returns:
            Logits: float32 [1, choices] once, then [2, choices] twice.
        """
        return self._next_logits(self._decoder, turns, own)

    def _next_logits(self, graph: Decoder, turns: Sequence[str], own: Sequence[bool]) -> list[Logits]:
        logits, read = self._read(graph, turns, own)
        tokens = self._choices[[len(self._choices) // 3, len(self._choices) // 2]].astype(np.int64)[:, None]
        once, known = graph.step(self._embed(tokens), read, None)
        twice, _ = graph.step(self._embed(tokens[::-1]), read, known)
        return [logits, once, twice]

    def _sums(self, rows: Sequence[Sequence[int]], first: Logits, read: Logits) -> npt.NDArray[np.float64]:
        longest = max(map(len, rows))
        ids = np.array([[*row, *[row[-1]] * (longest - len(row))] for row in rows], np.int64)
        there = np.array([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in rows], np.float32)
        logits = np.repeat(first, len(rows), 0)[:, None]
        if longest > 1:
            more = self._decoder.score(self._embed(ids[:, :-1]), read, there[:, :-1])
            logits = np.concatenate([logits, more], 1)
        places = self._places[ids]
        found = np.take_along_axis(log_softmax(logits), np.maximum(places, 0)[..., None], 2)[..., 0]
        found = np.where(places < 0, np.nan, found)
        return np.asarray(np.where(there > 0, found, 0).sum(1), np.float64)

    def _read(self, graph: Decoder, turns: Sequence[str], own: Sequence[bool]) -> tuple[Logits, Logits]:
        """Logits after a context, where a reply is to begin, and what is known of it."""
        return graph.read(self._embed(np.array([[*self.prompt.context(turns, own), *self.prompt.reply_header]])))

    def _embed(self, ids: Choices) -> npt.NDArray[np.float32]:
        return self._embeddings[ids].astype(np.float32) * self._scales[ids].astype(np.float32)[..., None]


def _places(directory: Path, choices: npt.NDArray[np.int32], rows: int) -> Choices:
    """Of every token, its place among the choices, or -1."""
    if len(choices) == 0 or choices.min() < 0 or choices.max() >= rows or (np.diff(choices) <= 0).any():
        raise ConsistencyError(str(directory), [Problem(CHOICES, f"rising tokens below {rows}", "others")])
    places = np.full(rows, -1, np.int64)
    places[choices] = np.arange(len(choices))
    return places


def open_generator(
    directory: Path, manifest: Manifest, provider: str | None = None, *, is_asleep: bool = False
) -> Generator:
    """Load a generator whose bytes have been verified.

    Args:
        directory: the bundle.
        manifest: its manifest.
        provider: what alone may run it, if the bundle has a form for it; by default the first that is here.
        is_asleep: whether its graph is left until somebody asks.

    Returns:
        The generator.

    Raises:
        BundleError: if it is not what the manifest says.
        InputError: if nothing here runs any of its forms.
    """
    if problems := fact_problems(manifest):
        raise ConsistencyError(str(directory), problems)
    found = [one for one in manifest.facts["executions"] if one["provider"] in available_providers()]
    asked = [one for one in found if one["provider"] == provider]
    if not found:
        raise InputError(f"{GENERATOR.name}: nothing here runs any of its forms. Next: see rejoinder doctor")
    return Generator(directory, manifest.facts, (asked or found)[0], is_asleep=is_asleep)


def open_part(opening: Opening) -> Generator:
    """Load the generator of a release; of one that is never asked unless a caller wants it, the graph later."""
    is_asleep = opening.manifest.facts.get("when") == OFF
    return open_generator(opening.directory, opening.manifest, opening.provider, is_asleep=is_asleep)


def probe(opening: Opening, generator: Generator) -> list[Problem]:
    """Compare what this machine reads and computes of the probe texts with what was recorded."""
    del opening
    return generator.problems()


def memory(manifest: Manifest, provider: str | None) -> int:
    """Bytes of the graph, with what loading it takes besides; embeddings are mapped."""
    del provider
    executions = manifest.facts["executions"]
    return _FILE_FACTOR * max(manifest.files[graph_file(one["form"])].size for one in executions)
