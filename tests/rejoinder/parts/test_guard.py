"""A guard in a release: opened as it was built, refused if it is another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rejoinder.errors import BundleError, ConsistencyError, FormatError, ProbeError
from rejoinder.parts import GUARD, INTENTS, Kind
from rejoinder.parts.classifier import read_classifier, weights_file
from rejoinder.parts.guard import CARE, SENSITIVE
from rejoinder.parts.intents import ENTRIES, ROUTER
from rejoinder.parts.ngrams import BUCKETS, ngrams
from rejoinder.parts.opened import open_release
from tests.bundles import build_whole, pin, reseal


@pytest.fixture
def bundles(tmp_path: Path) -> dict[Kind, Path]:
    return build_whole(tmp_path)


def changed(path: Path) -> None:
    """Other weights of the same shape."""
    array = np.load(path)
    array[:40, 1] += 100
    np.save(path, array)


@pytest.mark.parametrize(
    ("kind", "file"), [(GUARD.bundle, weights_file(SENSITIVE)), (INTENTS.bundle, weights_file(ROUTER))]
)
def test_weights_that_compute_others_than_they_recorded_are_refused(
    bundles: dict[Kind, Path], kind: Kind, file: str
) -> None:
    changed(bundles[kind] / file)
    reseal(bundles[kind])
    with pytest.raises(ProbeError, match="probabilities"):
        open_release(pin(bundles))


@pytest.mark.parametrize("kind", [GUARD.bundle, INTENTS.bundle])
def test_examples_of_another_model_are_refused(bundles: dict[Kind, Path], tmp_path: Path, kind: Kind) -> None:
    other = build_whole(tmp_path / "other", seed=1)
    model = open_release(pin(bundles)).release.vectorizer_id
    reseal(other[kind], model)
    with pytest.raises(ProbeError, match="examples"):
        open_release(pin({**bundles, kind: other[kind]}))


@pytest.mark.parametrize(
    ("kind", "fact", "value"),
    [
        (GUARD.bundle, "min_sensitive", 2),
        (GUARD.bundle, "care_turns", 9),
        (GUARD.bundle, "locale", 1),
        (INTENTS.bundle, "min_probability", "high"),
        (INTENTS.bundle, "time_zone", "Nowhere/At_All"),
    ],
)
def test_facts_that_cannot_be_right_are_refused(
    bundles: dict[Kind, Path], kind: Kind, fact: str, value: Any
) -> None:
    reseal(bundles[kind], **{fact: value})
    with pytest.raises(ConsistencyError, match=fact):
        open_release(pin(bundles))


@pytest.mark.parametrize(("kind", "file"), [(GUARD.bundle, CARE), (INTENTS.bundle, ENTRIES)])
@pytest.mark.parametrize("text", ["{}\n", "[]\n", "[1\n", '{"kinds": [{"kind": 1}]}\n'])
def test_files_that_say_something_else_are_refused(
    bundles: dict[Kind, Path], kind: Kind, file: str, text: str
) -> None:
    (bundles[kind] / file).write_text(text)
    reseal(bundles[kind])
    with pytest.raises(FormatError):
        open_release(pin(bundles))


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("guard", CARE),
        ("intents", ENTRIES),
        ("remarks", "themes.jsonl"),
        ("index", "replies.jsonl"),
        ("deny", "deny.json"),
    ],
)
def test_half_a_character_is_no_text(bundles: dict[Kind, Path], kind: Kind, file: str) -> None:
    path = bundles[kind] / file
    whole = path.read_text()
    broken = re.sub(r'("(?:text|replies|first)":\s*\[?\s*")', r"\g<1>\\ud800", whole, count=1)
    assert broken != whole
    path.write_text(broken)
    reseal(bundles[kind])
    with pytest.raises(FormatError):
        open_release(pin(bundles))


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros((32 + BUCKETS, 2), np.float16))
    with pytest.raises(BundleError, match="float16"):
        read_classifier(tmp_path, "one", ("none", "one"), 32, ["one.npy"])
    np.save(tmp_path / "one.npy", np.zeros((32 + BUCKETS + 1, 2), np.float16))
    np.save(tmp_path / "one-network.npy", np.zeros((32 + 2, 8), np.float16))
    with pytest.raises(BundleError, match=r"one-network\.npy"):
        read_classifier(tmp_path, "one", ("none", "one"), 32, ["one.npy", "one-network.npy"])


def test_ngrams_are_the_same_on_every_machine() -> None:
    buckets, values = ngrams("I don\u2019t know")
    assert sorted(buckets.tolist())[:3] == sorted(ngrams("i dont KNOW")[0].tolist())[:3]
    assert float((values**2).sum()) == pytest.approx(2, abs=0.5), (
        "two sorts, each of unit length, some in one bucket"
    )
    assert len(ngrams("")[0]) == 0
    assert len(ngrams("word " * 500)[0]) < 100, "a long text costs no more than its end"
