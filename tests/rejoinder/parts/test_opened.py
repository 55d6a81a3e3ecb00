"""Whatever is done to a release's bytes or parts, it does not open."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rejoinder.errors import BundleError, ConsistencyError, InputError, IntegrityError, ProbeError
from rejoinder.parts import Kind
from rejoinder.parts.opened import OpenRelease, open_model, open_release
from rejoinder.release.manifest import read_manifest
from rejoinder.release.proof import Installed
from rejoinder.release.tokenizer_file import TOKENIZER
from tests.bundles import (
    FORMS,
    KINDS,
    TOLERANCE,
    WORDS,
    pin,
    reseal,
    reseal_model,
    weights,
    write_onnx,
    write_tokenizer,
)

FILES: dict[Kind, tuple[str, ...]] = {
    "model": ("model.cpu.onnx", "model.fp16.onnx", "probes.json", "probes.npy", "tokenizer.json"),
    "cache": ("keys.npy", "phrases.txt", "vectors.npy"),
    "index": ("replies.jsonl", "shard-000.faiss", "shard-001.faiss", "shard-002.faiss"),
}
EVERY_FILE = [(kind, name) for kind in KINDS for name in (*FILES[kind], "manifest.json")]


def where(error: BundleError) -> list[str]:
    return [problem.where for problem in error.problems]


def flip(path: Path, position: float) -> None:
    """Flip one bit of the byte at a relative position, 0 to 1."""
    data = bytearray(path.read_bytes())
    data[round(position * (len(data) - 1))] ^= 1
    path.write_bytes(data)


def test_an_untouched_release_opens(opened: OpenRelease, pristine: Installed) -> None:
    assert opened.release == pristine.release
    assert opened.vectorizer.id == pristine.release.vectorizer_id
    found = {kind: tuple(read_manifest(path).files) for kind, path in pristine.bundles.items()}
    assert found == FILES


@pytest.mark.parametrize("position", [0.0, 0.5, 1.0], ids=["first", "middle", "last"])
@pytest.mark.parametrize(("kind", "name"), EVERY_FILE)
def test_one_flipped_bit_is_refused_and_its_file_named(
    mine: Installed, kind: Kind, name: str, position: float
) -> None:
    flip(mine.bundles[kind] / name, position)
    with pytest.raises(IntegrityError) as caught:
        open_release(mine)
    assert where(caught.value) == [f"{kind}/{name}"]


@pytest.mark.parametrize(("kind", "name"), EVERY_FILE)
def test_a_missing_or_linked_file_is_refused(mine: Installed, tmp_path: Path, kind: Kind, name: str) -> None:
    path = mine.bundles[kind] / name
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError) as caught:
        open_release(mine)
    assert where(caught.value) == [f"{kind}/{name}"]
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError) as caught:
        open_release(mine)
    assert where(caught.value) == [f"{kind}/{name}"]


@pytest.mark.parametrize("name", ["extra.npy", ".gitignore"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_unlisted_file_is_refused(mine: Installed, kind: Kind, name: str) -> None:
    (mine.bundles[kind] / name).touch()
    with pytest.raises(IntegrityError) as caught:
        open_release(mine)
    assert where(caught.value) == [f"{kind}/{name}"]


def test_damage_in_several_bundles_is_reported_at_once(mine: Installed) -> None:
    for kind, name in (("model", "tokenizer.json"), ("cache", "keys.npy"), ("index", "replies.jsonl")):
        flip(mine.bundles[kind] / name, 0.5)
    with pytest.raises(IntegrityError) as caught:
        open_release(mine)
    assert where(caught.value) == ["model/tokenizer.json", "cache/keys.npy", "index/replies.jsonl"]


@pytest.mark.parametrize("kind", ["cache", "index"])
class TestSwappedPart:
    """A part of another model's release, of the same dimension, at three levels of cunning."""

    def test_under_the_old_digest(self, mine: Installed, other: Installed, kind: Kind) -> None:
        swapped = Installed(mine.release, mine.folder, {**mine.bundles, kind: other.bundles[kind]})
        with pytest.raises(IntegrityError) as caught:
            open_release(swapped)
        assert where(caught.value) == [f"{kind}/manifest.json"]

    def test_pinned_by_the_release(self, mine: Installed, other: Installed, kind: Kind) -> None:
        with pytest.raises(ConsistencyError) as caught:
            open_release(pin({**mine.bundles, kind: other.bundles[kind]}))
        assert where(caught.value) == [f"{kind} vectorizer_id"]

    def test_with_a_forged_manifest(self, mine: Installed, other: Installed, kind: Kind) -> None:
        reseal(other.bundles[kind], mine.release.vectorizer_id)
        with pytest.raises(ProbeError) as caught:
            open_release(pin({**mine.bundles, kind: other.bundles[kind]}))
        assert where(caught.value) == [f"{kind} vectors"]


def forge(mine: Installed, **changes: object) -> Installed:
    """Make every manifest claim that the changed model made cache and index, and pin them all anew."""
    forged = reseal_model(mine.bundles["model"], **changes).vectorizer_id
    for kind in ("cache", "index"):
        reseal(mine.bundles[kind], forged)
    return pin(mine.bundles)


def test_another_tokenizer(mine: Installed) -> None:
    model = mine.bundles["model"]
    write_tokenizer(model / "tokenizer.json", ["hello", "i", "you"])
    with pytest.raises(IntegrityError) as integrity:
        open_release(mine)
    assert where(integrity.value) == ["model/tokenizer.json"]

    reseal_model(model)
    with pytest.raises(ConsistencyError) as consistency:
        open_release(pin(mine.bundles))
    assert where(consistency.value) == ["cache vectorizer_id", "index vectorizer_id"]

    with pytest.raises(ProbeError) as probe:
        open_release(forge(mine))
    assert where(probe.value)[:2] == ["probe tokens", "probe vectors"]


def test_another_max_length(mine: Installed) -> None:
    with pytest.raises(ProbeError) as caught:
        open_release(forge(mine, max_length=8))
    assert "probe tokens" in where(caught.value)


def test_another_vocabulary_in_which_no_probe_differs(mine: Installed) -> None:
    write_tokenizer(mine.bundles["model"] / TOKENIZER, ["never" if word == "g" else word for word in WORDS])
    with pytest.raises(ProbeError) as caught:
        open_release(forge(mine))
    assert where(caught.value) == ["probe vocabulary"]


def test_probes_of_before_the_vocabulary_was_recorded(mine: Installed) -> None:
    path = mine.bundles["model"] / "probes.json"
    document = json.loads(path.read_text())
    del document["vocabulary"]
    path.write_text(json.dumps(document))
    old = forge(mine)
    opened = open_release(old)
    opened.close()
    assert opened.release == old.release


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"normalization": "lower-case-0"}, "text normalisation"),
        ({"weights": {"cpu": "sha256:" + "0" * 64, "fp16": "sha256:" + "0" * 64}}, "model/model.cpu.onnx"),
        ({"tokenizer": "sha256:" + "0" * 64}, "model/tokenizer.json"),
    ],
)
def test_a_specification_that_is_not_true(mine: Installed, changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ConsistencyError) as caught:
        open_release(forge(mine, **changes))
    assert expected in where(caught.value)


def test_a_specification_that_does_not_give_the_id(mine: Installed) -> None:
    facts = read_manifest(mine.bundles["model"]).facts
    reseal(mine.bundles["model"], vectorizer={**facts["vectorizer"], "max_length": 8})
    with pytest.raises(ConsistencyError) as caught:
        open_release(pin(mine.bundles))
    assert where(caught.value) == ["model vectorizer_id"]


def test_weights_off_by_three_per_mille(mine: Installed) -> None:
    noise = np.random.default_rng(7).standard_normal(weights(0).shape).astype(np.float32)
    for form in FORMS:
        write_onnx(mine.bundles["model"] / f"model.{form}.onnx", weights(0) * (1 + 0.003 * noise))
    with pytest.raises(ProbeError) as caught:
        open_release(forge(mine))
    assert "probe vectors" in where(caught.value)


def test_output_that_is_not_normalised(mine: Installed) -> None:
    for form in FORMS:
        write_onnx(mine.bundles["model"] / f"model.{form}.onnx", weights(0), normalise=False)
    with pytest.raises(ProbeError) as caught:
        open_release(forge(mine))
    assert "unit length" in caught.value.problems[0].expected


def test_a_model_whose_probes_were_dropped_of_their_last_row(mine: Installed) -> None:
    path = mine.bundles["model"] / "probes.npy"
    np.save(path, np.load(path)[:-1])
    with pytest.raises(ProbeError) as caught:
        open_release(forge(mine))
    assert where(caught.value) == ["probe vectors"]


def test_a_bundle_of_another_kind(mine: Installed) -> None:
    with pytest.raises(ConsistencyError) as caught:
        open_release(pin({**mine.bundles, "cache": mine.bundles["index"]}))
    assert "cache" in where(caught.value)


@pytest.mark.parametrize("tolerance", [None, {}, {"CPUExecutionProvider": "much"}])
def test_a_model_without_tolerances(mine: Installed, tolerance: object) -> None:
    reseal(mine.bundles["model"], tolerance=tolerance)
    with pytest.raises(ConsistencyError) as caught:
        open_release(pin(mine.bundles))
    assert where(caught.value) == ["model facts"]


def test_a_release_for_another_runtime(mine: Installed) -> None:
    with pytest.raises(ConsistencyError) as caught:
        open_release(pin(mine.bundles, runtime=("0.2", "0.3")))
    assert where(caught.value) == ["runtime version"]


def test_a_provider_that_the_model_has_no_form_for(mine: Installed) -> None:
    model = mine.bundles["model"]
    spec = read_manifest(model).facts["vectorizer"]
    assert set(TOLERANCE) == {"CPUExecutionProvider", "CUDAExecutionProvider"}
    only_fp16 = forge(mine, weights={"fp16": spec["weights"]["fp16"]})
    with pytest.raises(InputError, match="a form for CPUExecutionProvider, got fp16 on CUDAExecutionProvider"):
        open_release(only_fp16, "CPUExecutionProvider")


def test_open_model_verifies_what_was_just_built(mine: Installed) -> None:
    vectorizer, manifest = open_model(mine.bundles["model"])
    assert vectorizer.id == manifest.vectorizer_id == mine.release.vectorizer_id
    with pytest.raises(ConsistencyError):
        open_model(mine.bundles["cache"])
    shutil.copy(mine.bundles["cache"] / "keys.npy", mine.bundles["model"])
    with pytest.raises(IntegrityError):
        open_model(mine.bundles["model"])
