"""Generate: let the model say what nobody has prepared, beside what was retrieved.

It is asked where the talk is free and something that nobody has written may be said: not near distress, nor where
a script or a theme that fits surely comes first. What it says is trusted as what people said elsewhere, no more.

An error of the model is an error of the answer, as of any other part: its probes were reproduced when the release
was opened, so what fails later is the machine or a fault of ours, and a reply in its place would hide either.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

import numpy as np

from rejoinder.answer.choose import is_resort
from rejoinder.answer.filters import drop_unfit
from rejoinder.answer.rank import may_lead
from rejoinder.answer.reply import Candidate
from rejoinder.answer.retrieve import last_turns
from rejoinder.answer.state import State
from rejoinder.parts import GENERATOR
from rejoinder.parts.arrays import Vectors
from rejoinder.parts.generator import Generated, Generator
from rejoinder.parts.generator_facts import ALWAYS, OFF
from rejoinder.parts.sampling import Sampling
from rejoinder.text import normalize

GENERATE = "generate"
#: Seconds before the deadline when it ends, for all that comes after it: encoding what was said, rules and ranker.
#: And those without which it does not begin: to read the context and say anything at all.
_RESERVE_S, _FIRST_S = 0.2, 0.25
#: Turns that are offered to it; of these it reads whole ones, as many as its window holds.
_TURNS = 32
_SEEDS = 1 << 64


def generate(state: State) -> State:
    """Add what the model says as candidates, where it is asked."""
    generator = state.release.generator
    if generator is None or not _is_asked(state, generator):
        return state
    read = last_turns(state.dialogue, _TURNS)
    said = generator.generate(
        [turn.text for turn in read],
        [turn.speaker == "bot" for turn in read],
        sampling=_sampling(state, generator),
        seed=state.seed % _SEEDS,
        goes_on=_Pace(state).goes_on,
    )
    return _with(state, said) if said else state


def _is_asked(state: State, generator: Generator) -> bool:
    when = state.when or generator.when
    is_open = not (state.route or state.is_cautious or state.is_wary or state.is_grave)
    has_heads = state.release.heads is not None and state.vector is not None
    if when == OFF or not is_open or not has_heads or not _has_time(state, _FIRST_S):
        return False
    fit = drop_unfit(state)
    retrieved = (c.score for c in fit.candidates if c.dropped is None and c.is_free)
    return may_lead(fit) and (when == ALWAYS or max(retrieved, default=-inf) < generator.below)


class _Pace:
    """Whether there is time for one more token, if it takes as long as the last one: a busy machine is slow."""

    def __init__(self, state: State) -> None:
        """Begin; the first time asked is before anything was read."""
        self._state, self._last = state, time.monotonic()

    def goes_on(self) -> bool:
        """Whether to go on; asked after each token."""
        took_s, self._last = time.monotonic() - self._last, time.monotonic()
        return _has_time(self._state, took_s)


def _has_time(state: State, seconds: float) -> bool:
    """Whether so many seconds are left beside those that the steps behind need, and somebody will wait for it."""
    asked = state.asked
    is_early = time.monotonic() + seconds + _RESERVE_S < asked.until
    return is_early and asked.is_wanted() and asked.may_linger()


def _sampling(state: State, generator: Generator) -> Sampling:
    """How it draws: no longer replies than the caller takes.

    Words that end a reply are not handed on: the model would cut there, and nothing is cut here
    (`rejoinder.answer.limit`).
    """
    most, sampling = state.asked.max_tokens, generator.sampling
    if most is None:
        return sampling
    return replace(sampling, max_tokens=min(sampling.max_tokens, most + 1))  # with the token that ends it


def _with(state: State, said: Sequence[Generated]) -> State:
    """The state with what the model said among what was retrieved, the best by the heads first."""
    scores = {normalize(candidate.text): candidate.score for candidate in state.candidates}
    fresh: dict[str, Generated] = {}
    for reply in said:
        if (text := normalize(reply.text)) and text not in scores:
            fresh.setdefault(text, reply)
    vectors = _vectors(state, [reply.text for reply in fresh.values()])
    scores |= dict(zip(fresh, _scores(state, vectors), strict=True))
    made = []
    for reply in said:
        text = normalize(reply.text)
        dropped = None if fresh.get(text) is reply else "duplicate" if text else "empty"
        made.append(_candidate(reply, scores.get(text, 0.0), dropped))
    return replace(state, made=vectors, candidates=_merged(state.candidates, made))


def _vectors(state: State, texts: Sequence[str]) -> dict[str, Vectors]:
    """Vectors of texts as turns, all encoded in one batch."""
    return dict(zip(texts, state.release.encoder.encode(texts).vectors, strict=True)) if texts else {}


def _scores(state: State, vectors: Mapping[str, Vectors]) -> list[float]:
    heads = state.release.heads
    if heads is None or state.vector is None or not vectors:
        return []
    scores: list[float] = (heads.replies(np.stack(list(vectors.values()))) @ state.vector).tolist()
    return scores


def _candidate(reply: Generated, score: float, dropped: str | None) -> Candidate:
    return Candidate(
        reply.text,
        score,
        None,
        dropped,
        GENERATOR.name,
        log_probability=reply.log_probability,
        tokens=reply.tokens,
    )


def _merged(candidates: Sequence[Candidate], made: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Candidates with more free ones among them: behind what fits a theme, before words of last resort."""
    places = [n for n, candidate in enumerate(candidates) if candidate.is_free or is_resort(candidate)]
    start = places[0] if places else len(candidates)
    rest = candidates[start:]
    free = sorted([*(c for c in rest if c.is_free), *made], key=lambda candidate: -candidate.score)
    return (*candidates[:start], *free, *(c for c in rest if not c.is_free))
