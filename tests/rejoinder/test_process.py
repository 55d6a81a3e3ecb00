"""What is set before libraries are loaded: by our programs all of it, within somebody's program telemetry alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
from click.testing import CliRunner

import deploy.mlflow_server.__main__ as server
from registry.errors import RegistryError
from registry.show.doctor import examine
from rejoinder import process
from rejoinder.errors import InputError
from rejoinder.process import VARIABLES, allowed_cores, configure_process, threads, usable_cores
from rejoinder.store.store import Store
from tests.reach import PACKAGES, ROOT, reached

LIBRARIES = ("numpy", "torch", "faiss", "onnxruntime")
#: A process that ends when it is about to import the first library, and prints the environment of that moment.
STOP_AT_THE_FIRST_LIBRARY = f"""
import json, os, runpy, sys

class Stop:
    def find_spec(self, name, path=None, target=None):
        if name in {LIBRARIES}:
            print(json.dumps(dict(os.environ)), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Stop())
del sys.argv[0]
"""
MODULE = "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
SCRIPT = "from registry.cli import main; main()"
STAGE = ("index", "--params", str(ROOT / "params.yaml"), "--base", "x", "--export", "x", "--out", "x")
PROGRAMS = {
    "rejoinder": (SCRIPT, "rejoinder", "ask", "hello"),
    "python -m rejoinder": (MODULE, "rejoinder", "ask", "hello"),
    "python -m stages": (MODULE, "stages", *STAGE),
    "python -m flows.repro": (MODULE, "flows.repro"),
    "python -m benchmarks.releases": (MODULE, "benchmarks.releases"),
    "python -m faults": (MODULE, "faults"),
    "what opening costs": (MODULE, "stages.benchmark.open_cost", *"abcde"),
}


def python(code: str, folder: Path, *words: str, **variables: str) -> str:
    """Output of Python code in an environment where nothing of ours is set but `variables`."""
    kept = {name: value for name, value in os.environ.items() if name not in {*VARIABLES, process.THREADS}}
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder, env={**kept, "PYTHONPATH": str(ROOT), **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment_of(program: str, folder: Path, **variables: str) -> Mapping[str, str]:
    """The environment that a program's first library finds."""
    code, *words = PROGRAMS[program]
    found: Mapping[str, str] = json.loads(python(STOP_AT_THE_FIRST_LIBRARY + code, folder, *words, **variables))
    return found


@contextmanager
def nothing_set(monkeypatch: pytest.MonkeyPatch, **loaded: object) -> Iterator[None]:
    """This process as if it had just started, with no library loaded but `loaded`."""
    with monkeypatch.context() as patch:
        for name in (*VARIABLES, process.THREADS):
            patch.setenv(name, "")  # so that it is put back, whatever happens meanwhile
            patch.delenv(name)
        for name in LIBRARIES:
            patch.setitem(sys.modules, name, loaded.get(name))
        patch.setattr(process, "_late", [])
        yield


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_ours_sets_everything_before_it_loads_a_library(program: str, tmp_path: Path) -> None:
    found = environment_of(program, tmp_path)
    assert (found["OMP_WAIT_POLICY"], found["ORT_DISABLE_TELEMETRY"]) == ("PASSIVE", "1")
    assert found["OMP_NUM_THREADS"] == str(usable_cores())


def test_the_server_sets_everything_before_it_starts_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> NoReturn:
        raise RegistryError(f"{[os.environ[name] for name in VARIABLES]}")

    monkeypatch.setattr(server, "running_server", started)
    with nothing_set(monkeypatch):
        result = CliRunner().invoke(server.main)
    assert str(["PASSIVE", str(usable_cores()), "1"]) in result.output


def test_what_the_user_has_set_stays(tmp_path: Path) -> None:
    theirs = {"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "7", "ORT_DISABLE_TELEMETRY": "0"}
    found = environment_of("rejoinder", tmp_path, **theirs)
    assert {name: found[name] for name in VARIABLES} == theirs


def test_one_variable_of_ours_sets_the_threads_of_all_libraries(tmp_path: Path) -> None:
    assert environment_of("rejoinder", tmp_path, REJOINDER_THREADS="3")["OMP_NUM_THREADS"] == "3"
    code = "from rejoinder.parts.onnx_session import session_options as o; print(o().intra_op_num_threads)"
    assert python(code, tmp_path, REJOINDER_THREADS="3") == "3\n"


def test_a_number_of_threads_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJOINDER_THREADS", "many")
    with pytest.raises(InputError, match=r"REJOINDER_THREADS: expected a number of threads, got 'many'\. Next:"):
        threads()


AS_A_LIBRARY = """
import json, os
import faiss, numpy, tokenizers
before = dict(os.environ)
import registry.pull.pull, registry.pull.sources, rejoinder.parts.opened
import rejoinder.serving.holder, rejoinder.answer.responder, rejoinder.store.store
print(json.dumps([dict(set(os.environ.items()) - set(before.items())), sorted(set(before) - set(os.environ))]))
"""


def test_as_a_library_nothing_of_the_environment_changes_but_telemetry(tmp_path: Path) -> None:
    assert json.loads(python(AS_A_LIBRARY, tmp_path)) == [{"ORT_DISABLE_TELEMETRY": "1"}, []]


def test_whatever_imports_onnxruntime_imports_the_runtime_which_turns_telemetry_off() -> None:
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    importers = [
        path for path in sources if "import onnxruntime" in (t := path.read_text()) or "from onnxruntime" in t
    ]
    assert len(importers) >= 3
    for path in importers:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        assert any(file.startswith("rejoinder/") for file in reached(module)), module


def test_what_was_loaded_too_early_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[str] = []
    onnxruntime = SimpleNamespace(
        disable_telemetry_events=lambda: calls.append("off"), get_available_providers=lambda: []
    )
    with nothing_set(monkeypatch, faiss=SimpleNamespace(), onnxruntime=onnxruntime):
        configure_process()
        configure_process()
        found = examine(Store(tmp_path))["process"]
    late = [f"{name} was not set before faiss was loaded" for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")]
    assert found["set too late"].split("; ") == [
        *late, "ORT_DISABLE_TELEMETRY was not set before onnxruntime was loaded",
    ]  # fmt: skip
    assert calls == ["off"]


def test_in_time_nothing_is_late(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with nothing_set(monkeypatch):
        configure_process()
        found = examine(Store(tmp_path))["process"]
    assert found["set too late"] == "nothing"
    assert found["OMP_WAIT_POLICY"] == "PASSIVE"
    assert found["cores usable"].startswith(f"{usable_cores()} (affinity {allowed_cores()}, ")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system knows no affinity")
def test_only_cores_that_the_process_may_run_on_count(tmp_path: Path) -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from rejoinder import process as p; "
    )
    assert python(f"{code} print(p.usable_cores(), p.threads())", tmp_path) == "1 1\n"


def test_hyperthreads_of_a_core_count_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3, 6})
    for number, siblings in enumerate(("0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7")):
        (tmp_path / f"cpu{number}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{number}" / "topology" / "thread_siblings_list").write_text(f"{siblings}\n")
    assert allowed_cores(tmp_path) == 4
    assert allowed_cores(tmp_path / "none") == 5


@pytest.mark.parametrize(("quota", "cores"), [(None, 4), (2.9, 2), (0.5, 1), (64.0, 4)])
def test_a_quota_counts_whole_cores(monkeypatch: pytest.MonkeyPatch, quota: float | None, cores: int) -> None:
    monkeypatch.setattr(process, "cpu_quota", lambda: quota)
    monkeypatch.setattr(process, "allowed_cores", lambda: 4)
    assert usable_cores() == cores
