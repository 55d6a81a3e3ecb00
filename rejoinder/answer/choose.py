"""Choose what is said: the best candidate, or now and then another one, with a probability that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp

from rejoinder.answer.reply import Candidate
from rejoinder.answer.state import State
from rejoinder.parts import REMARKS
from rejoinder.parts.themes import is_resort_theme

Random = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Exploration:
    """How the choice leaves the best candidate.

    Attributes:
        share: of answers that are drawn; 0 for never.
        top: candidates that are drawn from, best first.
        temperature: of the softmax over their scores; the higher, the more alike their chances.
    """

    share: float = 0.0
    top: int = 5
    temperature: float = 0.1


def is_resort(candidate: Candidate) -> bool:
    """Whether a candidate is for when nothing else fits."""
    part, _, theme = candidate.source.partition("/")
    return part == REMARKS.name and is_resort_theme(theme)


def choose(state: State) -> State:
    """Say the first candidate that may be said."""
    return replace(state, text=next((c.text for c in state.candidates if c.dropped is None), None))


def explore(state: State, exploration: Exploration, random: Random) -> State:
    """Say the first candidate that may be said, or one that is drawn; what is scripted is never drawn.

    Args:
        state: after everything that drops candidates.
        exploration: how often, and among how many.
        random: uniform in [0, 1).

    Returns:
        The state with the reply, and the exact probability that it would be this one.
    """
    fit = [c for c in state.candidates if c.dropped is None and not is_resort(c)]
    if state.route or state.is_grave or exploration.share <= 0 or len(fit) < 2:
        return choose(state)
    chances = _chances(fit[: exploration.top], exploration)
    draw, number = random(), 0
    while number < len(chances) - 1 and draw >= chances[number]:
        draw -= chances[number]
        number += 1
    return replace(state, text=fit[number].text, probability=chances[number])


def _chances(fit: list[Candidate], exploration: Exploration) -> list[float]:
    """Probability of each: the softmax's, mixed with that of always taking the first."""
    best = max(candidate.chosen_by for candidate in fit)
    weights = [exp((candidate.chosen_by - best) / exploration.temperature) for candidate in fit]
    drawn = [exploration.share * weight / sum(weights) for weight in weights]
    return [drawn[0] + 1 - exploration.share, *drawn[1:]]
