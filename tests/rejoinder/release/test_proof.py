"""Proof: every refusal names the place, what was expected, and what was found; nothing is left out."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rejoinder.errors import BundleError, ConsistencyError, FormatError, IntegrityError, SignatureError
from rejoinder.parts import Kind
from rejoinder.release.canonical import Digest, canonical_json, digest_bytes, digest_file
from rejoinder.release.document import RELEASE, VERDICT, Blessing
from rejoinder.release.manifest import MANIFEST, FileEntry, Manifest, read_manifest
from rejoinder.release.proof import (
    Installed,
    prove,
    spec_problems,
    verify_bundle,
    verify_bytes,
    verify_consistency,
    verify_signer,
)
from rejoinder.release.signature import SIGNATURE
from rejoinder.release.trust import Trust
from rejoinder.release.vectorizer_spec import VectorizerId
from rejoinder.text import NORMALIZATION_VERSION
from tests.bundles import KINDS, pin, reseal, seal, signer
from tests.rejoinder.parts.test_opened import flip

ZERO = Digest("sha256:" + "0" * 64)


def said(error: BundleError) -> list[str]:
    """The problems as a reader sees them."""
    return [str(problem) for problem in error.problems]


def manifests_of(installed: Installed) -> dict[Kind, Manifest]:
    """Of all bundles."""
    return {kind: read_manifest(path) for kind, path in installed.bundles.items()}


def test_what_is_in_order_is_proved_and_its_manifests_come_back(pristine: Installed, trust: Trust) -> None:
    assert prove(pristine) == prove(pristine, trust) == manifests_of(pristine)
    assert verify_bytes("r", pristine.bundles, pristine.release.bundles) == manifests_of(pristine)


def test_the_trust_that_is_given_counts_and_not_the_default(pristine: Installed, tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="no key at all"):
        prove(pristine, Trust(tmp_path))


def test_all_problems_of_all_kinds_are_reported_together_the_gravest_first(mine: Installed) -> None:
    bundles = {**mine.bundles, "index": mine.bundles["cache"]}
    wrong = pin(bundles, runtime=("7.0", "7.1"), vectorizer_id=VectorizerId(ZERO))
    (wrong.folder / SIGNATURE).write_bytes(b"")
    flip(mine.bundles["model"] / "tokenizer.json", 0.5)
    with pytest.raises(SignatureError) as caught:
        prove(wrong)
    assert [problem.where for problem in caught.value.problems] == [
        SIGNATURE, "model/tokenizer.json", "runtime version",
        "cache vectorizer_id", "index", "index vectorizer_id", "index facts",
    ]  # fmt: skip
    assert str(caught.value).startswith(f"{wrong.release}: not signed by a trusted key (7 problem(s))")


def test_the_key_that_signed_is_the_one_that_the_document_names(mine: Installed, trust: Trust) -> None:
    release = replace(mine.release, signer=replace(mine.release.signer, key=ZERO))
    seal(mine.folder, release)
    with pytest.raises(SignatureError) as caught:
        verify_signer(Installed(release, mine.folder, {}), trust)
    assert said(caught.value) == [f"signer: expected {ZERO}, got {signer().key}"]
    assert str(caught.value).startswith(f"{release}: ")


def test_the_folder_holds_the_document_that_was_asked_for(mine: Installed, trust: Trust) -> None:
    other = replace(mine.release, serial=2)
    with pytest.raises(IntegrityError) as caught:
        verify_signer(Installed(other, mine.folder, {}), trust)
    assert said(caught.value) == [f"{RELEASE}: expected {other.digest}, got {mine.release.digest}"]
    assert str(caught.value).startswith(f"{other}: ")


def test_the_folder_holds_the_verdict_that_the_document_names(mine: Installed, trust: Trust) -> None:
    release = replace(mine.release, blessed=Blessing("gate", ZERO))
    seal(mine.folder, release)
    with pytest.raises(IntegrityError) as caught:
        verify_signer(Installed(release, mine.folder, {}), trust)
    assert said(caught.value) == [f"{VERDICT}: expected {ZERO}, got {digest_file(mine.folder / VERDICT)}"]


def test_damage_is_named_by_bundle_and_file_and_a_newer_format_too(mine: Installed) -> None:
    old = read_manifest(mine.bundles["index"])
    newer = canonical_json({"format": 2, "kind": "index"})
    (mine.bundles["index"] / MANIFEST).write_bytes(newer)
    flip(mine.bundles["cache"] / "keys.npy", 0.5)
    expected = read_manifest(mine.bundles["cache"]).files["keys.npy"].sha256
    release = replace(mine.release, bundles={**mine.release.bundles, "index": digest_bytes(newer)})
    with pytest.raises(IntegrityError) as caught:
        verify_bytes("r", mine.bundles, release.bundles)
    found = digest_file(mine.bundles["cache"] / "keys.npy")
    assert said(caught.value) == [
        f"cache/keys.npy: expected {expected}, got {found}", "index/format: expected 1, got 2",
    ]  # fmt: skip
    assert str(caught.value).startswith("r: ")
    with pytest.raises(FormatError, match="index/format: expected 1, got 2"):
        verify_bytes("r", {"index": mine.bundles["index"]}, release.bundles)
    assert old.digest == mine.release.bundles["index"]


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_bundles_that_are_given_are_compared(mine: Installed, kind: Kind) -> None:
    for other in set(KINDS) - {kind}:
        shutil.rmtree(mine.bundles[other])
    assert list(verify_bytes("r", {kind: mine.bundles[kind]}, mine.release.bundles)) == [kind]


def test_a_bundle_is_compared_with_the_digest_that_pins_it(mine: Installed) -> None:
    cache = mine.bundles["cache"]
    assert verify_bundle(cache, mine.release.bundles["cache"]) == read_manifest(cache)
    with pytest.raises(IntegrityError) as caught:
        verify_bundle(cache, ZERO)
    assert said(caught.value) == [f"{MANIFEST}: expected {ZERO}, got {mine.release.bundles['cache']}"]
    (cache / "keys.npy").unlink()
    with pytest.raises(IntegrityError) as caught:
        verify_bundle(cache, mine.release.bundles["cache"])
    assert said(caught.value) == ["keys.npy: expected a plain file, got nothing"]
    assert str(caught.value).startswith(f"{cache}: ")


class TestConsistency:
    """Of manifests whose bytes are in order."""

    def refused(self, manifests: dict[Kind, Manifest], pinned: str) -> list[str]:
        with pytest.raises(ConsistencyError) as caught:
            verify_consistency("it", manifests, VectorizerId(pinned))
        assert str(caught.value).startswith("it: parts do not belong together")
        return said(caught.value)

    def test_parts_of_one_vectorizer_belong_together(self, pristine: Installed) -> None:
        verify_consistency("it", manifests_of(pristine), pristine.release.vectorizer_id)
        verify_consistency("it", {}, VectorizerId(ZERO))

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_part_of_another_vectorizer_is_named(self, pristine: Installed, kind: Kind) -> None:
        one = manifests_of(pristine)[kind]
        assert self.refused({kind: one}, ZERO) == [
            f"{kind} vectorizer_id: expected {ZERO}, got {one.vectorizer_id}"
        ]

    def test_a_part_of_another_kind_is_named(self, pristine: Installed) -> None:
        cache = manifests_of(pristine)["cache"]
        assert self.refused({"index": cache}, cache.vectorizer_id) == [
            "index: expected a index bundle, got a cache bundle",
            "index facts: expected shard_rows, context_turns, candidates, "
            "got no shard_rows, context_turns, candidates",
        ]

    @pytest.mark.parametrize(
        ("kind", "fact", "wanted"),
        [
            ("cache", "phrases", "phrases"),
            ("index", "context_turns", "shard_rows, context_turns, candidates"),
            ("index", "candidates", "shard_rows, context_turns, candidates"),
            ("index", "shard_rows", "shard_rows, context_turns, candidates"),
        ],
    )
    def test_a_missing_fact_is_named(self, pristine: Installed, kind: Kind, fact: str, wanted: str) -> None:
        one = manifests_of(pristine)[kind]
        less = replace(one, facts={key: value for key, value in one.facts.items() if key != fact})
        assert self.refused({kind: less}, one.vectorizer_id) == [f"{kind} facts: expected {wanted}, got no {fact}"]

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("model", "phrases.txt"),
            ("model", "model.cpu.onnx.bak"),
            ("cache", "shard-000.faiss"),
            ("index", "x.py"),
        ],
    )
    def test_a_file_that_is_none_of_its_kind_is_named(self, pristine: Installed, kind: Kind, name: str) -> None:
        one = manifests_of(pristine)[kind]
        more = replace(one, files={**one.files, name: FileEntry(1, ZERO)})
        assert self.refused({kind: more}, one.vectorizer_id) == [
            f"{kind}/{name}: expected no such file in its kind, got a listed file"
        ]

    def test_all_facts_of_a_model_must_be_there(self, pristine: Installed) -> None:
        model = replace(manifests_of(pristine)["model"], facts={})
        assert self.refused({"model": model}, model.vectorizer_id) == [
            "model facts: expected a vectorizer specification, executions and tolerances, got KeyError",
            "model facts: expected vectorizer, got no vectorizer",
        ]


class TestSpecification:
    """A model's id follows from its files."""

    def changed(self, model: Manifest, **changes: Any) -> list[str]:
        spec = {**model.facts["vectorizer"], **changes}
        return [str(p) for p in spec_problems(replace(model, facts={**model.facts, "vectorizer": spec}))]

    @pytest.fixture
    def model(self, pristine: Installed) -> Manifest:
        return manifests_of(pristine)["model"]

    def test_the_real_one_is_true(self, model: Manifest) -> None:
        assert spec_problems(model) == []

    @pytest.mark.parametrize(
        ("field", "value"),
        [("pooling", "max"), ("output", "none"), ("dim", 7), ("dtype", "int8"), ("max_length", 8), ("opset", 21)],
    )
    def test_every_field_counts(self, model: Manifest, field: str, value: object) -> None:
        (problem,) = self.changed(model, **{field: value})
        assert problem.startswith("model vectorizer_id: expected sha256:")
        assert problem.endswith(f", got {model.vectorizer_id}")
        assert problem.split(", got ")[0] != f"model vectorizer_id: expected {model.vectorizer_id}"

    def test_another_normalisation_is_named(self, model: Manifest) -> None:
        first, second = self.changed(model, normalization="lower-0")
        assert first.startswith("model vectorizer_id: expected")
        assert second == f"text normalisation: expected {NORMALIZATION_VERSION}, got lower-0"

    def test_every_file_must_be_the_one_that_is_specified(self, model: Manifest) -> None:
        files = dict(model.files)
        del files["tokenizer.json"]
        files["model.cpu.onnx"] = replace(files["model.cpu.onnx"], sha256=ZERO)
        spec = model.facts["vectorizer"]
        assert [str(p) for p in spec_problems(replace(model, files=files))] == [
            f"model/model.cpu.onnx: expected {spec['weights']['cpu']}, got {ZERO}",
            f"model/tokenizer.json: expected {spec['tokenizer']}, got no such file",
        ]

    @pytest.mark.parametrize(
        ("facts", "got"),
        [
            ({"vectorizer": None}, "TypeError"),
            ({"vectorizer": {}}, "TypeError"),
            ({"tolerance": None}, "TypeError"),
            ({"tolerance": {}}, "KeyError"),
            ({"tolerance": {"CPUExecutionProvider": 1e-6}}, "KeyError"),
        ],
    )
    def test_a_specification_of_another_shape_is_named(self, model: Manifest, facts: Any, got: str) -> None:
        assert [str(p) for p in spec_problems(replace(model, facts={**model.facts, **facts}))] == [
            f"model facts: expected a vectorizer specification, executions and tolerances, got {got}"
        ]

    def test_weights_that_are_no_forms_are_named(self, model: Manifest) -> None:
        assert self.changed(model, weights=7) == [
            "model facts: expected a vectorizer specification, executions and tolerances, got AttributeError"
        ]

    @pytest.mark.parametrize("wrong", ["much", 1, None])
    @pytest.mark.parametrize("provider", ["CPUExecutionProvider", "CUDAExecutionProvider"])
    def test_every_tolerance_is_a_number(self, model: Manifest, provider: str, wrong: object) -> None:
        tolerance = {**model.facts["tolerance"], provider: wrong}
        assert [str(p) for p in spec_problems(replace(model, facts={**model.facts, "tolerance": tolerance}))] == [
            "model facts: expected a tolerance for the provider of every form, got something else"
        ]


def test_a_resealed_bundle_no_longer_has_the_pinned_digest(mine: Installed) -> None:
    reseal(mine.bundles["index"], candidates=5)
    with pytest.raises(IntegrityError) as caught:
        prove(mine)
    (problem,) = caught.value.problems
    assert (problem.where, problem.expected) == (f"index/{MANIFEST}", mine.release.bundles["index"])
