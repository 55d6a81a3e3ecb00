"""Swaps of parts: each part of three releases in the place of another's, and parts that lie about what they are."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from faults.outcome import Outcome
from faults.sample import Tally, refused
from rejoinder.parts import VECTORIZER, Kind
from rejoinder.release.proof import Installed
from rejoinder.text import NORMALIZATION_VERSION
from tests.bundles import (
    DIM,
    FORMS,
    WHOLE,
    WORDS,
    build_whole,
    pin,
    reseal_model,
    reseal_others,
    weights,
    write_onnx,
    write_tokenizer,
)

#: How a part gets into another release: put there, pinned and signed anew, or with a manifest that lies as well.
LEVELS = ("in its folder", "signed anew", "with a forged manifest")
_LIES = 7


def parts_swapped(root: Path, tries: int = 72) -> Outcome:
    """Put each part of each of three releases into each other one, at three levels of cunning."""
    releases = [pin(build_whole(root / f"r{seed}", seed), seed + 1) for seed in range(3)]
    tally = Tally()
    for number, (mine, other, kind, level) in enumerate(_swaps(releases)):
        if number < tries:
            with tempfile.TemporaryDirectory(dir=root) as folder:
                tally.add(*refused(_swapped(mine, other, kind, level, Path(folder)), f"{kind} {level}"))
    note = tally.note("3 releases of one dimension, all ordered pairs, 4 parts, 3 levels")
    return Outcome("a part of another model", tally.tries, tally.survived, note)


def parts_that_lie(root: Path, tries: int = _LIES) -> Outcome:
    """Change what decides the vectors, make every manifest say it is so, sign it: refused by name, each."""
    base = pin(build_whole(root / "base"))
    tally = Tally()
    for what, (forge, names) in list(LIES.items())[:tries]:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            mine = _copied(base, Path(folder))
            tally.add(*refused(forge(mine), what, names))
    note = tally.note("tokenizer, pooling, max length, both normalisations, weights, dimension")
    return Outcome("a part that lies about what it is, signed", tally.tries, tally.survived, note)


def _swaps(releases: list[Installed]) -> Iterator[tuple[Installed, Installed, Kind, str]]:
    # By level last, so that a few tries see all three.
    for kind in WHOLE:
        for mine, other in permutations(releases, 2):
            for level in LEVELS:
                yield mine, other, kind, level


def _swapped(mine: Installed, other: Installed, kind: Kind, level: str, folder: Path) -> Installed:
    if level == "in its folder":
        return Installed(mine.release, mine.folder, {**mine.bundles, kind: other.bundles[kind]})
    bundles = {k: Path(shutil.copytree(path, folder / k)) for k, path in mine.bundles.items() if k != kind}
    bundles[kind] = Path(shutil.copytree(other.bundles[kind], folder / kind))
    if level == "with a forged manifest":
        # A model's own manifest cannot lie: its id follows from its files. So the others claim to be made by it.
        claimed = other.release.vectorizer_id if kind == VECTORIZER.bundle else mine.release.vectorizer_id
        reseal_others(bundles, claimed)
    return pin({k: bundles[k] for k in WHOLE})


def _copied(base: Installed, folder: Path) -> Installed:
    bundles: dict[Kind, Path] = {k: Path(shutil.copytree(path, folder / k)) for k, path in base.bundles.items()}
    return Installed(base.release, base.folder, bundles)


def _claimed(mine: Installed, **changes: Any) -> Installed:
    """Make every manifest claim that the changed model made the other parts, and pin them all anew."""
    forged = reseal_model(mine.bundles[VECTORIZER.bundle], **changes).vectorizer_id
    reseal_others(mine.bundles, forged)
    return pin(mine.bundles)


def _models(mine: Installed, table: np.ndarray[Any, np.dtype[np.float32]], **options: Any) -> None:
    for form in FORMS:
        write_onnx(mine.bundles[VECTORIZER.bundle] / f"model.{form}.onnx", table, **options)


def _tokenizer(mine: Installed) -> Installed:
    write_tokenizer(mine.bundles[VECTORIZER.bundle] / "tokenizer.json", WORDS[::-1])
    return _claimed(mine)


def _pooling(mine: Installed) -> Installed:
    """Sum of the words instead of their mean turns no vector; the largest of them does."""
    for form in FORMS:
        write_max_pooled(mine.bundles[VECTORIZER.bundle] / f"model.{form}.onnx", weights(0))
    return _claimed(mine, pooling="max")


def _length(mine: Installed) -> Installed:
    return _claimed(mine, max_length=8)


def _normalisation(mine: Installed) -> Installed:
    return _claimed(mine, normalization=f"not-{NORMALIZATION_VERSION}")


def _output(mine: Installed) -> Installed:
    _models(mine, weights(0), normalise=False)
    return _claimed(mine, output="none")


def _weights(mine: Installed) -> Installed:
    noise = np.random.default_rng(7).standard_normal(weights(0).shape).astype(np.float32)
    _models(mine, weights(0) * (1 + 0.003 * noise))
    return _claimed(mine)


def _dimension(mine: Installed) -> Installed:
    return _claimed(mine, dim=DIM // 2)


#: What is forged, and the words that the refusal must hold.
LIES: dict[str, tuple[Callable[[Installed], Installed], tuple[str, ...]]] = {
    "another tokenizer": (_tokenizer, ("probe tokens",)),
    "another pooling": (_pooling, ("probe vectors",)),
    "another maximum length": (_length, ("probe tokens",)),
    "another normalisation of texts": (_normalisation, ("text normalisation", NORMALIZATION_VERSION)),
    "no normalisation of vectors": (_output, ("probe vectors", "unit length")),
    "weights off by three per mille": (_weights, ("probe vectors",)),
    "another dimension": (_dimension, ("(",)),
}


def write_max_pooled(path: Path, table: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    """The tests' model, but with the largest value over the words in place of their mean."""
    from onnx import load, save

    write_onnx(path, table)
    model = load(str(path))
    (summed,) = [node for node in model.graph.node if node.output[0] == "sum"]
    summed.op_type = "ReduceMax"
    summed.ClearField("input")
    summed.input.append("kept")
    summed.attribute.add(name="axes", ints=[1], type=7)
    save(model, str(path))


FAULTS = (parts_swapped, parts_that_lie)
