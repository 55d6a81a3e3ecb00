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
from rejoinder.parts import PARTS, VECTORIZER
from stages.__main__ import default_paths
from stages.common.params import StageParams, load_params
from stages.names import STAGES, load_stage
from tests.reach import PACKAGES, ROOT, reached

DAG: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
#: Modules that a stage reaches by other ways than an import, and why.
RUN_BY_NAME = {
    # A process of its own, and parts that are imported once they are proved.
    "benchmark": ["stages.benchmark.open_cost", "rejoinder.parts.deny", "rejoinder.parts.intents"],
    # Great Expectations imports it by name.
    "validate": ["stages.checks.view"],
    "dialogues": ["stages.checks.view"],
}


#: Folders of the checkout that hold code.
CODE = ("rejoinder", "registry", "stages")
#: What builds the data and the model, and must not run again because of another part.
UP_TO_EXPORT = STAGES[: STAGES.index("export") + 1]
#: The raw zone holds the canaries by design: the audit may know what to look for, and no more.
RAW = "build/ingest"


def outs(stage: str) -> list[str]:
    """Outputs of a stage, without their settings."""
    return [out if isinstance(out, str) else next(iter(out)) for out in DAG["stages"][stage]["outs"]]


def code_deps(stage: str) -> list[str]:
    """Files and folders of code that a stage depends on."""
    return [dep for dep in DAG["stages"][stage]["deps"] if dep.split("/")[0] in CODE]


def within(path: str, other: str) -> bool:
    """Whether a path is another or lies below it."""
    return Path(path).is_relative_to(other)


def reached_by(stage: str) -> set[str]:
    """Every file of ours that a stage runs."""
    return reached(f"stages.{stage}.stage").union(*(reached(name) for name in RUN_BY_NAME.get(stage, [])))


def test_stage_names_agree_everywhere() -> None:
    assert tuple(DAG["stages"]) == STAGES
    assert tuple(yaml.safe_load((ROOT / "params.yaml").read_text())) == ("shared", *STAGES)
    assert all((ROOT / "stages" / stage / "stage.py").is_file() for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_keeps_the_contract(stage: str) -> None:
    module = load_stage(stage)
    assert issubclass(module.Params, StageParams)
    assert load_params(ROOT / "params.yaml", stage, module.Params)
    first, *paths = inspect.signature(module.run, eval_str=True).parameters.values()
    assert (first.name, first.annotation) == ("params", module.Params)
    assert all(p.annotation is Path and p.kind is inspect.Parameter.KEYWORD_ONLY for p in paths)
    assert paths[-1].name == "out"
    assert (module.__doc__ or "").lower().startswith(f"{stage}:")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_on_the_defaults_of_its_command_line(stage: str) -> None:
    entry, module = DAG["stages"][stage], load_stage(stage)
    paths = {name: str(path) for name, path in default_paths(stage, module.run).items()}
    assert entry["cmd"] == f"python -m stages {stage}"
    assert list(paths) == list(inspect.signature(module.run).parameters)[1:]
    assert outs(stage) == [paths.pop("out")]
    # Of an output with figures that differ from run to run, a stage may depend on the folder that it reads alone.
    read = [
        (path, dep) for path in paths.values() for dep in entry["deps"] if within(path, dep) or within(dep, path)
    ]
    assert {path for path, _ in read} == set(paths.values())
    assert entry["params"] == [*(f"shared.{key}" for key in module.Params.SHARED), stage]


@pytest.mark.parametrize("stage", STAGES)
def test_deps_hold_every_file_of_ours_that_the_stage_reaches(stage: str) -> None:
    deps = code_deps(stage)
    left_out = sorted(file for file in reached_by(stage) if not any(within(file, dep) for dep in deps))
    assert left_out == [], f"add them, or their folders, to the deps of {stage} in dvc.yaml"


@pytest.mark.parametrize("stage", STAGES)
def test_deps_hold_nothing_that_the_stage_does_not_reach(stage: str) -> None:
    deps, files = code_deps(stage), reached_by(stage)
    unused = [dep for dep in deps if not any(within(file, dep) for file in files)]
    assert unused == [], f"take them out of the deps of {stage} in dvc.yaml"
    assert [dep for dep in deps for other in deps if dep != other and within(dep, other)] == []
    assert [dep for dep in deps if not (ROOT / dep).exists()] == []


def test_work_on_another_part_or_on_proofs_reruns_nothing_up_to_the_export() -> None:
    others = [f"{part.module.replace('.', '/')}.py" for part in PARTS if part != VECTORIZER]
    opening = ["rejoinder/parts/opened.py", "rejoinder/parts/opening.py", "rejoinder/parts/a_new_part.py"]
    believing = [f"rejoinder/release/{name}.py" for name in ("proof", "signature", "trust", "document")]
    catalog = ["registry/mlflow/client.py", "registry/publish/sign.py", "registry/pull/pull.py"]
    touched = [*others, *opening, *believing, *catalog]
    assert len(others) >= 2
    rerun = {(s, f) for s in UP_TO_EXPORT for f in touched for dep in code_deps(s) if within(f, dep)}
    assert rerun == set()
    # What trains and what comes before it does not read the list of parts: a new entry retrains nothing.
    entries = {stage for stage in UP_TO_EXPORT[:-1] if "rejoinder/parts/__init__.py" in code_deps(stage)}
    assert entries == set()
    # Training reads tokens as serving does; how an exported model is run is the business of what comes after it.
    own, tokens = f"{VECTORIZER.module.replace('.', '/')}.py", "rejoinder/parts/tokens.py"
    assert all(tokens in code_deps(stage) for stage in ("dialogues", "vectorizer", "student", "export"))
    assert [stage for stage in UP_TO_EXPORT if own in code_deps(stage)] == ["export"]


def test_the_audit_depends_on_every_output_before_it() -> None:
    deps = DAG["stages"]["audit"]["deps"]
    made = [out for stage in STAGES[: STAGES.index("audit")] for out in outs(stage)]
    assert [out for out in made if not any(within(out, dep) for dep in deps)] == []


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
    assert "no stage imports another KEPT" in done.stdout


def test_the_rule_on_stages_names_every_stage() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    (layer,) = re.findall(r'"(ingest \|[^"]*)"', text)
    assert tuple(layer.split(" | ")) == STAGES


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
    r"fcntl\.flock": {"rejoinder/store/lease.py", "flows/dag.py", "rejoinder/serving/decisions/files.py"},
}


@pytest.mark.parametrize("pattern", ONE_OF_EACH)
def test_there_is_one_of_each(pattern: str) -> None:
    found = {str(path.relative_to(ROOT)) for path in SOURCES if re.search(pattern, path.read_text())}
    assert found == ONE_OF_EACH[pattern]


def test_every_error_of_ours_has_one_root() -> None:
    packages = ("rejoinder", "rejoinder.serving.http", "registry", "stages.common", "flows")
    modules = [importlib.import_module(f"{package}.errors") for package in packages]
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
