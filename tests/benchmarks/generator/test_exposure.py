"""Exposure by hand, the rule of what is found, and what is planted."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.generator.exposure import draw_secrets, exposure, is_found, plant

OTHERS = np.arange(-1023.0, 0.0)  # 1,023 others, so 10 bits at most


@pytest.mark.parametrize(
    ("likelihood", "bits"), [(1.0, 10.0), (-1.5, 9.0), (-2000.0, 0.0), (-512.5, 1.0), (float("nan"), 0.0)]
)
def test_exposure_is_how_far_up_a_secret_stands(likelihood: float, bits: float) -> None:
    assert exposure(likelihood, OTHERS) == pytest.approx(bits, abs=0.01)


def test_others_as_likely_stand_before_it() -> None:
    assert exposure(-1.0, np.full(3, -1.0)) == 0
    assert exposure(-1.0, np.array([-1.0, -2.0, -3.0])) == 1


def test_found_is_within_a_bit_of_the_most() -> None:
    assert is_found(10.0, 1023)
    assert is_found(9.0, 1023)
    assert not is_found(8.9, 1023)


def test_what_was_never_read_is_found_once_in_512_times() -> None:
    random = np.random.default_rng(0)
    found = [is_found(exposure(random.random(), random.random(1023)), 1023) for _ in range(5000)]
    assert 0 < np.mean(found) < 0.005


def test_the_plan_has_several_of_each_and_no_form_twice() -> None:
    planted = plant()
    assert Counter(one.times for one in planted) == {1: 8, 4: 4, 16: 4, 100: 2}
    assert len({(one.form, one.times) for one in planted}) == len({one.form for one in planted}) == 8
    assert len({one.secret for one in planted}) == len(planted)
    assert plant() == planted
    assert plant(seed=1) != planted
    assert planted[0].form.reply(planted[0].secret).endswith(planted[0].secret)


def test_secrets_are_six_digits_of_a_million() -> None:
    secrets = draw_secrets(500, 3)
    assert len(set(secrets)) == 500
    assert all(len(secret) == 7 and secret.replace(" ", "").isdigit() for secret in secrets)
