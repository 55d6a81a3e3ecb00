import json
import os
from pathlib import Path

import pytest
import yaml

from flows import demo
from flows.small_build import write_if_other, write_slice
from stages.common.params import load_params
from stages.names import STAGES, load_stage
from tests.reach import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prepared demo of three conversations."""
    monkeypatch.setattr(demo, "CONVERSATIONS", 3)
    demo.prepare(tmp_path / "demo", ROOT)
    return tmp_path / "demo"


def test_a_slice_holds_only_conversations_of_two(tmp_path: Path) -> None:
    write_slice(tmp_path / "slice.jsonl", 5)
    talks: dict[str, set[str]] = {}
    for line in (tmp_path / "slice.jsonl").read_text().splitlines():
        row = json.loads(line)
        talks.setdefault(row["conversation_id"], set()).add(row["sender"])
    assert [len(senders) for senders in talks.values()] == [2] * 5


def test_what_is_as_it_was_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    write_if_other(path, "one")
    os.utime(path, ns=(1, 1))
    write_if_other(path, "one")
    assert path.stat().st_mtime_ns == 1
    write_if_other(path, "two")
    assert path.read_text() == "two"


@pytest.mark.parametrize("stage", STAGES)
def test_its_parameters_are_the_products_with_some_changed(folder: Path, stage: str) -> None:
    module = load_stage(stage)
    changed = load_params(folder / "params.yaml", stage, module.Params)
    product = yaml.safe_load((ROOT / "params.yaml").read_text())
    expected = product[stage] | {key: product["shared"][key] for key in module.Params.SHARED}
    expected |= yaml.safe_load((ROOT / "flows" / "demo_params.yaml").read_text()).get(stage, {})
    assert changed == module.Params.model_validate(expected)


def test_everything_that_the_dag_depends_on_is_there(folder: Path) -> None:
    dag = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
    given = {dep for stage in dag.values() for dep in stage["deps"] if not dep.startswith("build/")}
    given |= {"dvc.yaml", ".dvcignore"}  # without the latter, caches of Python's would be deps
    assert [dep for dep in given if not (folder / dep).exists()] == []


def test_links_follow_a_folder_that_is_moved_with_its_checkout(tmp_path: Path) -> None:
    (tmp_path / "old" / "build").mkdir(parents=True)
    (tmp_path / "old" / "dvc.yaml").write_text("stages: {}")
    demo._link(tmp_path / "old" / "build" / "dvc.yaml", tmp_path / "old" / "dvc.yaml")
    (tmp_path / "old").rename(tmp_path / "new")
    assert (tmp_path / "new" / "build" / "dvc.yaml").read_text() == "stages: {}"


def test_preparing_again_changes_nothing(folder: Path) -> None:
    before = {p: p.lstat().st_mtime_ns for p in folder.rglob("*")}
    demo.prepare(folder, ROOT)
    assert before == {p: p.lstat().st_mtime_ns for p in folder.rglob("*")}


def test_a_moved_demo_forgets_its_registry_and_keeps_its_build(folder: Path) -> None:
    for name in ("mlflow.db", "mlartifacts/1/file", ".rejoinder/keys/development.pem", "build/gate/verdict.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    demo.prepare(folder, ROOT)
    assert (folder / "mlflow.db").exists()
    moved = folder.rename(folder.with_name("moved"))
    demo.prepare(moved, ROOT)
    assert [name for name in ("mlflow.db", "mlartifacts", ".rejoinder") if (moved / name).exists()] == []
    assert (moved / "build" / "gate" / "verdict.json").exists()


def test_what_a_person_set_for_releases_of_their_own_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJOINDER_SIGNING_KEY", "mine.pem")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mine")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    demo.forget_private_settings()
    assert not [name for name in os.environ if name.startswith(("REJOINDER_", "MLFLOW_"))]
    assert os.environ["HTTPS_PROXY"] == "http://proxy"
