"""Parts: a kind joins with one entry and one file; ties hold; nothing of a part is imported before proof."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rejoinder import parts
from rejoinder.errors import ConsistencyError, FormatError
from rejoinder.parts import PARTS, Part
from rejoinder.release.canonical import Digest, digest_bytes
from rejoinder.release.document import parse_release
from rejoinder.release.manifest import Manifest, read_manifest, write_manifest
from rejoinder.release.proof import Installed, verify_consistency
from tests.bundles import KEY
from tests.reach import ROOT

#: Files outside rejoinder/parts that name a kind, and no others; eight at most, whatever joins.
NAMED_IN = {
    "flows/refresh.py",  # stages that are kept
    "registry/publish/provenance.py",  # stages whose parameters may be shown
    "stages/names.py",  # the stages' names
    "stages/common/base_encoder.py",  # a folder of somebody else's package
    "stages/dialogues/reply_base.py",
    "stages/dialogues/stage.py",  # columns and files of the data, which no list of parts may rerun
    "stages/gate/stage.py",
    "stages/vectorizer/stage.py",
}
PACKAGES = ("rejoinder", "registry", "stages", "flows", "benchmarks", "faults")
HEAVY = ("numpy", "onnxruntime", "faiss", "openvino", "tokenizers")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was seen of a release with a part more, in a process whose list has a line more."""
    root = tmp_path_factory.mktemp("toy")
    settings = {
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}",
        "REJOINDER_TRUST": str(KEY.parent),
        "REJOINDER_SIGNING_KEY": str(KEY),
    }
    command = [sys.executable, "-m", "tests.toy", str(root)]
    done = subprocess.run(
        command, cwd=root, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_a_new_part_is_published_signed_pulled_opened_and_shown(toy: dict[str, Any]) -> None:
    assert toy["the same release"]
    assert toy["format"] == 3
    assert toy["opened"] == [1, 2]
    assert toy["shown"]
    assert toy["verified"] == 4
    assert toy["listed"] == ["Two numbers"]


def test_a_new_part_is_refused_where_it_does_not_belong(toy: dict[str, Any]) -> None:
    assert toy["another vectorizer"] == "ConsistencyError: head vectorizer_id"
    assert toy["other numbers"] == "ProbeError: numbers"
    assert toy["a file more"] == "IntegrityError: head/more.json"


def test_no_byte_of_a_new_part_can_change(toy: dict[str, Any]) -> None:
    for tries, survived, note in toy["damaged"]:
        assert survived == tries >= 40, note


def document(**bundles: Digest) -> bytes:
    """The golden release's document with other bundles, in its own spelling."""
    (path,) = (ROOT / "tests" / "golden" / "store" / "releases").glob("*/release.json")
    golden = parse_release(path.read_bytes(), "golden")
    return replace(golden, bundles={**golden.bundles, **bundles}).to_bytes()


def test_a_kind_that_this_version_does_not_know_is_refused_in_one_sentence() -> None:
    with pytest.raises(FormatError, match="1 of a kind that this version does not know") as caught:
        parse_release(document(head=digest_bytes(b"a head")), "release.json")
    assert [problem.where for problem in caught.value.problems] == ["bundles"]
    assert "update rejoinder here first" in str(caught.value)


def test_a_release_of_the_three_bundles_is_written_as_every_runtime_before_reads_it() -> None:
    assert json.loads(document())["format"] == 2
    other_spelling = document().replace(b'"format": 2', b'"format": 3')
    with pytest.raises(FormatError, match="canonical"):
        parse_release(other_spelling, "release.json")


@pytest.fixture
def tied(pristine: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Manifest]:
    """Manifests of a release with a part that is tied to the model and to the index."""
    part = Part("tied", "tied", r"tied\.json", (), ("model", "index"), "nowhere", "Tied")
    monkeypatch.setattr(parts, "PARTS", (*PARTS, part))
    manifests = {kind: read_manifest(path) for kind, path in pristine.bundles.items()}
    (tmp_path / "tied.json").write_text("{}")
    ties = {"ties": {"index": manifests["index"].digest}}
    return {**manifests, "tied": write_manifest(tmp_path, "tied", pristine.release.vectorizer_id, ties)}


def test_a_part_with_the_parts_that_it_was_made_with_is_accepted(tied: dict[str, Manifest]) -> None:
    verify_consistency("it", tied, tied["model"].vectorizer_id)


def test_a_part_tied_to_one_that_is_different_is_refused(tied: dict[str, Manifest]) -> None:
    others: list[Any] = [{"index": digest_bytes(b"another")}, {}, [], None]
    for made_with in others:
        wrong = replace(tied["tied"], facts={"ties": made_with})
        with pytest.raises(ConsistencyError, match="tied made with index"):
            verify_consistency("it", {**tied, "tied": wrong}, tied["model"].vectorizer_id)


def test_a_part_tied_to_one_that_is_absent_is_refused(tied: dict[str, Manifest]) -> None:
    without = {kind: manifest for kind, manifest in tied.items() if kind != "index"}
    with pytest.raises(
        ConsistencyError, match="tied made with index: expected a index bundle, got a release without"
    ):
        verify_consistency("it", without, tied["model"].vectorizer_id)


def test_what_proves_and_pulls_imports_nothing_that_parses_models() -> None:
    code = (
        f"import registry.pull.pull, rejoinder.release.proof, sys; print([n for n in {HEAVY} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_entries_are_plain_and_their_modules_keep_the_contract() -> None:
    assert len({part.bundle for part in PARTS}) == len({part.name for part in PARTS}) == len(PARTS)
    for number, part in enumerate(PARTS):
        assert set(part.ties) <= {before.bundle for before in PARTS[:number]}, "ties are opened first"
        module = ROOT / (part.module.replace(".", "/") + ".py")
        named = {node.name for node in ast.parse(module.read_text()).body if isinstance(node, ast.FunctionDef)}
        assert {"open_part", "probe", "memory"} <= named


def test_few_files_name_a_kind() -> None:
    names = {name for part in PARTS for name in (part.name, part.bundle)}
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    naming = {
        path.relative_to(ROOT).as_posix()
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    }
    # OpenAI's interface has words of its own: "model", "index".
    others = ("rejoinder/parts/", "rejoinder/serving/http/", "benchmarks/serving/")
    outside = {path for path in naming if not path.startswith(others)}
    assert outside == NAMED_IN
    assert len(NAMED_IN) <= 8
