"""Sampling: draw the next token of several replies at once, in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Choices = npt.NDArray[np.int64]

_MOST_REPLIES, _MOST_TOKENS, _MOST_STOPS = 256, 1024, 16


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are drawn.

    Attributes:
        n: replies that are begun; 0 for none.
        max_tokens: tokens after which a reply is given up, its end counted.
        temperature: logits are divided by it; 0 for the likeliest token always.
        top_k: most tokens that are drawn from; 0 for all.
        top_p: of these the likeliest that together have this probability (Holtzman et al. 2020).
        repetition_penalty: what the logits of tokens that the reply holds already are divided by where above 0,
            multiplied by where below (Keskar et al. 2019, but not for the context's tokens: an answer may take them
            up, and echoes are dropped); 1 for nothing.
        stop: texts that end a reply; what comes from them on is not said.
    """

    n: int
    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    stop: tuple[str, ...] = ()

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Sampling:
        """Read it from the facts of a manifest.

        Args:
            facts: every attribute by its name.

        Returns:
            The sampling.

        Raises:
            ValueError: if something is missing, strange, or out of bounds; names all that is.
        """
        wrong = sorted({field.name for field in fields(cls)} ^ set(facts))
        found = {**facts, "stop": tuple(facts["stop"]) if isinstance(facts.get("stop"), list | tuple) else None}
        if wrong or (wrong := _wrong(found)):
            raise ValueError(", ".join(wrong))
        return cls(**found)


def _wrong(facts: Mapping[str, Any]) -> list[str]:
    bounds = {"n": _MOST_REPLIES, "max_tokens": _MOST_TOKENS, "top_k": 1 << 20}
    wrong = [name for name, most in bounds.items() if not (type(facts[name]) is int and 0 <= facts[name] <= most)]
    reals = {"temperature": (0, 100), "top_p": (1e-6, 1), "repetition_penalty": (0.1, 10)}
    wrong += [
        name
        for name, (least, most) in reals.items()
        if type(facts[name]) not in {int, float} or not least <= facts[name] <= most
    ]
    stop = facts["stop"]
    if stop is None or len(stop) > _MOST_STOPS or not all(isinstance(text, str) and text for text in stop):
        wrong.append("stop")
    return wrong


def draw(
    logits: Logits, said: Mask, sampling: Sampling, random: np.random.Generator
) -> tuple[Choices, npt.NDArray[np.float32]]:
    """Draw one token a row.

    Args:
        logits: float32 [r, v].
        said: bool [r, v], tokens that the repetition penalty is for.
        sampling: temperature, top_k, top_p and penalty.
        random: draws r numbers.

    Returns:
        int64 [r], and float32 [r]: what the model itself gave the token, in nats.
    """
    rows = np.arange(len(logits))
    likely = log_softmax(logits)
    if sampling.repetition_penalty != 1:
        penalty = np.float32(sampling.repetition_penalty)
        logits = np.where(said, np.where(logits > 0, logits / penalty, logits * penalty), logits)
    if sampling.temperature == 0:
        chosen = logits.argmax(1)
        return chosen, likely[rows, chosen]
    kept = min(sampling.top_k or logits.shape[1], logits.shape[1])
    some = np.argpartition(logits, -kept, axis=1)[:, -kept:]
    order = np.argsort(-np.take_along_axis(logits, some, 1), axis=1, kind="stable")
    some = np.take_along_axis(some, order, 1)
    chances = np.exp(log_softmax(np.take_along_axis(logits, some, 1) / np.float32(sampling.temperature)))
    before = np.cumsum(chances, 1) - chances
    chances[before >= sampling.top_p] = 0
    sums = np.cumsum(chances, 1)
    # A number that rounding puts beyond the last sum takes the likeliest token.
    place = (sums > random.random(len(logits))[:, None] * sums[:, -1:]).argmax(1)
    chosen = some[rows, place]
    return chosen, likely[rows, chosen]


def log_softmax(logits: Logits) -> Logits:
    """Logarithm of the softmax, float32 of the same shape, along the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    made: Logits = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return made
