"""Rank: what people or the model said is ordered by who reads context and reply token by token, beside the heads.

What then is too weak gives way to words of last resort.

What was surely written for such a turn comes before it; then nothing is ranked: that would cost time for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np
import numpy.typing as npt

from rejoinder.answer.choose import is_resort
from rejoinder.answer.reply import Candidate
from rejoinder.answer.retrieve import encode
from rejoinder.answer.state import State
from rejoinder.dialogue import Dialogue
from rejoinder.errors import InputError
from rejoinder.parts import REMARKS
from rejoinder.parts.opened import OpenRelease
from rejoinder.parts.ranker import Ranker

#: Of the candidates that are ranked, the share that is kept for what was generated: heads who choose what people
#: said would else rank nothing but that.
_GENERATED = 1 / 3


def rank(state: State) -> State:
    """Order the best of what people or the model said that may be said; all others keep their places.

    The order is that of the heads' score and what the ranker adds to it, which is in the same units: so exploration
    draws at the same temperature with and without a ranker. In the midst of a talk the best of them come before a
    theme that does not fit surely.
    """
    ranker = state.release.ranker
    free = [n for n, c in enumerate(state.candidates) if c.dropped is None and c.is_free]
    if ranker is None or not ranker.is_used or not state.read or not free:
        return state
    first = next(n for n, c in enumerate(state.candidates) if c.dropped is None)
    if first != free[0] and not _gives_way(state, ranker, state.candidates[first]):
        return state
    some, others = _some([state.candidates[n] for n in free], ranker.candidates)
    ranked = _ranked(state, ranker, some)
    candidates = list(state.candidates)
    for place, candidate in zip(free, [*ranked, *others], strict=True):
        candidates[place] = candidate
    if first != free[0]:
        sure = [n for n in free[: len(ranked)] if candidates[n].chosen_by >= ranker.over_themes]
        rest = [c for n, c in enumerate(candidates) if n not in set(sure)]
        candidates = [*rest[:first], *(candidates[n] for n in sure), *rest[first:]]
    return replace(state, candidates=tuple(candidates))


def may_lead(state: State) -> bool:
    """Tell whether what people or the model say may come first, as it is or once it is ranked.

    Args:
        state: after the rules that drop candidates.

    Returns:
        Whether nothing is left that was surely written for such a turn.
    """
    first, ranker = next((c for c in state.candidates if c.dropped is None), None), state.release.ranker
    if first is None or first.is_free or is_resort(first):
        return True
    return ranker is not None and ranker.is_used and _gives_way(state, ranker, first)


def _some(free: list[Candidate], most: int) -> tuple[list[Candidate], list[Candidate]]:
    """Those that are ranked, and the others: the best of both sources, but a share for what was generated."""
    made = [n for n, candidate in enumerate(free) if candidate.is_generated][: ceil(most * _GENERATED)]
    best = [n for n in range(len(free)) if n not in made][: most - len(made)]
    kept = {*made, *best}
    return [c for n, c in enumerate(free) if n in kept], [c for n, c in enumerate(free) if n not in kept]


def _gives_way(state: State, ranker: Ranker, candidate: Candidate) -> bool:
    """Whether a written reply may come after a free one: if its theme fits loosely and is not gentle."""
    part, _, theme = candidate.source.partition("/")
    remarks = state.release.remarks
    if part != REMARKS.name or remarks is None or theme in remarks.gentle:
        return False
    return len(state.read) > 1 and state.fit < ranker.sure_fit


def _ranked(state: State, ranker: Ranker, candidates: list[Candidate]) -> list[Candidate]:
    """Candidates with what the ranker says of them, best first."""
    own = [turn.speaker == "bot" for turn in state.read]
    scores = ranker.scores([turn.text for turn in state.read], own, [c.text for c in candidates])
    judged = [
        replace(c, rank=c.score + float(more), outputs=dict(zip(ranker.outputs, map(float, row), strict=True)))
        for c, more, row in zip(candidates, ranker.added(scores), scores, strict=True)
    ]
    return sorted(judged, key=lambda candidate: -candidate.chosen_by)


def relevance(release: OpenRelease, dialogue: Dialogue, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Tell how likely each of some texts is the reply, if one of them is.

    Args:
        release: ranks.
        dialogue: oldest turn first.
        texts: n of them.

    Returns:
        float64 [n], which sum to 1: softmax of heads and ranker at the temperature fitted on validation.

    Raises:
        InputError: if the release has no ranker that is used.
    """
    heads, ranker, state = release.heads, release.ranker, encode(State(release, dialogue))
    if heads is None or ranker is None or not ranker.is_used or state.vector is None:
        raise InputError(f"{release.release}: expected a release with a ranker, got none. Next: pull a newer one")
    fits = heads.replies(release.encoder.encode(texts).vectors) @ state.vector
    own = [turn.speaker == "bot" for turn in state.read]
    sums = fits + ranker.added(ranker.scores([turn.text for turn in state.read], own, texts))
    weights = np.exp((sums.astype(np.float64) - sums.max()) / ranker.temperature)
    return np.asarray(weights / weights.sum())


def drop_weak(state: State) -> State:
    """Drop what people or the model said and whose rank, or heads' score where it has none, is too low."""
    remarks, ranker = state.release.remarks, state.release.ranker
    if remarks is None or state.route:
        return state
    by_score, by_rank = remarks.facts["min_score"], ranker.min_rank if ranker is not None else 0.0

    def reason(candidate: Candidate) -> str | None:
        least = by_score if candidate.rank is None else by_rank
        return "weak" if candidate.is_free and candidate.chosen_by < least else None

    return state.drop(reason)
