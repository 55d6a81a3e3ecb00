"""The house's rules, as laws over the files themselves."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from rejoinder.errors import RejoinderError
from stages import STAGES
from stages.__main__ import default_paths
from stages.params import StageParams, load_params
from tests.reach import PACKAGES, ROOT, reached

DAG: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
#: Modules that a stage reaches by other ways than an import, and why.
RUN_BY_NAME = {
    "benchmark": ["stages.evaluation.open_cost"],  # a process of its own
    # Great Expectations imports it by name.
    "validate": ["stages.expectations.view"],
    "dialogues": ["stages.expectations.view"],
}


def outs(stage: str) -> list[str]:
    """Outputs of a stage, without their settings."""
    return [out if isinstance(out, str) else next(iter(out)) for out in DAG["stages"][stage]["outs"]]


def test_stage_names_agree_everywhere() -> None:
    assert tuple(DAG["stages"]) == STAGES
    assert tuple(yaml.safe_load((ROOT / "params.yaml").read_text())) == STAGES
    assert all((ROOT / "stages" / f"{stage}.py").is_file() for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_keeps_the_contract(stage: str) -> None:
    module = importlib.import_module(f"stages.{stage}")
    assert issubclass(module.Params, StageParams)
    assert load_params(ROOT / "params.yaml", stage, module.Params)
    first, *paths = inspect.signature(module.run, eval_str=True).parameters.values()
    assert (first.name, first.annotation) == ("params", module.Params)
    assert all(p.annotation is Path and p.kind is inspect.Parameter.KEYWORD_ONLY for p in paths)
    assert paths[-1].name == "out"
    assert (module.__doc__ or "").lower().startswith(f"{stage}:")


@pytest.mark.parametrize("stage", STAGES)
def test_the_command_line_in_dvc_yaml_is_the_signature(stage: str) -> None:
    entry = DAG["stages"][stage]
    words = entry["cmd"].split()
    options = dict(zip(words[4::2], words[5::2], strict=True))
    run = importlib.import_module(f"stages.{stage}").run
    defaults = {f"--{name}": str(path) for name, path in default_paths(stage, run).items()}
    assert words[:4] == ["python", "-m", "stages", stage]
    assert list(defaults) == [f"--{name}" for name in list(inspect.signature(run).parameters)[1:]]
    assert options.items() <= defaults.items()
    assert outs(stage) == [defaults["--out"]]
    assert set(defaults.values()) <= {*entry["deps"], *outs(stage)}
    assert entry["params"] == [stage]


@pytest.mark.parametrize("stage", STAGES)
def test_deps_hold_every_module_of_ours_that_the_stage_reaches(stage: str) -> None:
    expected = reached(f"stages.{stage}").union(*(reached(name) for name in RUN_BY_NAME.get(stage, [])))
    listed = {dep for dep in DAG["stages"][stage]["deps"] if dep.endswith(".py")}
    assert listed == expected, f"correct the deps of {stage} in dvc.yaml"


def test_metrics_and_plots_come_from_stage_outputs() -> None:
    files = [*DAG["metrics"], *(path for plot in DAG["plots"] for entry in plot.values() for path in entry["y"])]
    made = {out for stage in STAGES for out in outs(stage)}
    assert files
    assert all(any(file.startswith(out + "/") for out in made) for file in files)


def test_the_raw_zone_is_never_pushed() -> None:
    assert DAG["stages"]["ingest"]["outs"] == [{"build/ingest": {"push": False}}]


def test_import_rules_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Stages never import each other KEPT" in done.stdout


def test_the_rule_on_stages_names_every_stage() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    independent = text.split('type = "independence"')[1].split("]")[0]
    assert tuple(re.findall(r'"stages\.(\w+)"', independent)) == STAGES


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_small_and_functions_readable(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_input_is_never_checked_by_assert() -> None:
    found = [str(p) for p in SOURCES for node in ast.walk(ast.parse(p.read_text())) if isinstance(node, ast.Assert)]
    assert found == []


#: What there is one of, and the files that have it.
ONE_OF_EACH = {
    r"\bargparse\b": set(),  # click, everywhere
    r"\btqdm\b|rich\.progress|import progress as rich|ProgressBar\b": {"rejoinder/progress.py"},
    r"os\.fsync|os\.replace|partial\.replace|NamedTemporaryFile|mkstemp": {"rejoinder/atomic.py"},
    # filelock elsewhere: it has no shared locks, and none that a child process goes on holding.
    r"fcntl\.flock": {"rejoinder/lease.py", "flows/dag.py"},
}


@pytest.mark.parametrize("pattern", ONE_OF_EACH)
def test_there_is_one_of_each(pattern: str) -> None:
    found = {str(path.relative_to(ROOT)) for path in SOURCES if re.search(pattern, path.read_text())}
    assert found == ONE_OF_EACH[pattern]


def test_every_error_of_ours_has_one_root() -> None:
    modules = [
        importlib.import_module(f"{package}.errors") for package in ("rejoinder", "registry", "stages", "flows")
    ]
    errors = {name: found for m in modules for name, found in vars(m).items() if name.endswith("Error")}
    assert len(errors) >= 20
    assert all(issubclass(error, RejoinderError) for error in errors.values())
    raised = {
        name for path in SOURCES for name in re.findall(r"^class (\w+Error)\(", path.read_text(), re.MULTILINE)
    }
    assert {name for name in raised if not name.startswith("_")} == set(errors)


def test_nothing_can_run_code_found_in_a_file() -> None:
    banned = re.compile(r"\bpickle\b|pyfunc|allow_pickle=True|\beval\(|\bexec\(|weights_only=False|joblib")
    texts = {path: path.read_text() for path in SOURCES}
    calls = re.compile(r"\.eval\(\)|\.list\.eval\(")  # torch's evaluation mode, polars' expressions
    found = [str(path) for path, text in texts.items() if banned.search(calls.sub("", text))]
    assert found == []
