"""Sampling: what is drawn has the chances that its settings say."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from rejoinder.parts.sampling import Sampling, draw, log_softmax

PLAIN = Sampling(n=1, max_tokens=8, temperature=1.0, top_k=0, top_p=1.0, repetition_penalty=1.0)
LOGITS = np.log(np.array([[0.5, 0.25, 0.15, 0.1]], np.float32))
NOTHING = np.zeros((1, 4), bool)
ROWS = 20_000


def shares(sampling: Sampling, said: Any = NOTHING) -> list[float]:
    rows = np.repeat(LOGITS, ROWS, 0), np.repeat(said, ROWS, 0)
    chosen, _ = draw(*rows, sampling, np.random.default_rng(0))
    return [float(share) for share in np.bincount(chosen, minlength=4) / ROWS]


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    assert shares(PLAIN) == pytest.approx([0.5, 0.25, 0.15, 0.1], abs=0.02)


def test_temperature_flattens_and_sharpens() -> None:
    sharp = np.array([0.5, 0.25, 0.15, 0.1]) ** 2
    assert shares(replace(PLAIN, temperature=0.5)) == pytest.approx(list(sharp / sharp.sum()), abs=0.02)
    assert shares(replace(PLAIN, temperature=0)) == [1, 0, 0, 0]


def test_top_k_keeps_the_likeliest() -> None:
    assert shares(replace(PLAIN, top_k=2)) == pytest.approx([2 / 3, 1 / 3, 0, 0], abs=0.02)


def test_top_p_keeps_the_fewest_that_are_likely_enough() -> None:
    assert shares(replace(PLAIN, top_p=0.5)) == [1, 0, 0, 0]
    assert shares(replace(PLAIN, top_p=0.6)) == pytest.approx([2 / 3, 1 / 3, 0, 0], abs=0.02)
    assert shares(replace(PLAIN, top_p=1e-6)) == [1, 0, 0, 0]


def test_what_was_said_already_is_less_likely() -> None:
    said = np.array([[True, False, False, False]])
    weighed = np.array([0.25, 0.25, 0.15, 0.1])  # log 0.5 doubled is log 0.25
    assert shares(replace(PLAIN, repetition_penalty=2), said) == pytest.approx(
        list(weighed / weighed.sum()), abs=0.02
    )


def test_the_likelihood_is_the_models_own_whatever_the_settings() -> None:
    sampling = replace(PLAIN, temperature=0.1, top_k=1, repetition_penalty=5)
    chosen, likely = draw(LOGITS, ~NOTHING, sampling, np.random.default_rng(0))
    assert likely[0] == pytest.approx(log_softmax(LOGITS)[0, chosen[0]])


def test_a_seed_draws_the_same_again() -> None:
    rows = np.repeat(LOGITS, 50, 0), np.repeat(NOTHING, 50, 0)
    first, second, other = (draw(*rows, PLAIN, np.random.default_rng(seed))[0].tolist() for seed in (1, 1, 2))
    assert first == second != other


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": -1}, {"n": True}, {"n": 10**6}, {"max_tokens": 2.5}, {"temperature": -1},
        {"temperature": float("nan")},
        {"top_p": 0}, {"top_p": 1.1}, {"repetition_penalty": 0}, {"stop": "\n"}, {"stop": [""]}, {"stop": [1]},
        {"top_k": None},
    ],
)  # fmt: skip
def test_settings_out_of_bounds_are_refused_by_name(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        Sampling.of({**asdict(PLAIN), **wrong})


def test_settings_that_are_missing_or_strange_are_refused() -> None:
    whole = asdict(PLAIN)
    assert Sampling.of(whole) == PLAIN
    with pytest.raises(ValueError, match="beams"):
        Sampling.of({**whole, "beams": 4})
    with pytest.raises(ValueError, match="top_p"):
        Sampling.of({name: value for name, value in whole.items() if name != "top_p"})
