import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import dag
from flows.errors import FlowError
from flows.workspace import Workspace
from stages.names import STAGES

DVC_YAML = """
stages:
  ingest:
    cmd: {command}
    outs: [out.txt]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A DVC project of one stage, not in the working directory."""
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def test_a_stage_runs_once(project: Path) -> None:
    (project / "dvc.yaml").write_text(DVC_YAML.format(command="echo 1 >> log.txt && echo done > out.txt"))
    workspace = Workspace(project)
    assert dag.changed_stages(workspace) == list(STAGES)
    # It writes no status, so it is not known to have run.
    assert not dag.run_stage(workspace, "ingest")
    dag.run_stage(workspace, "ingest")
    assert dag.changed_stages(workspace) == []
    assert (project / "log.txt").read_text() == "1\n"


def test_what_has_changed_is_named_and_a_stage_that_ran_says_so(project: Path) -> None:
    command = "mkdir -p build/status && date > build/status/ingest.json && cp in.txt out.txt"
    (project / "dvc.yaml").write_text(DVC_YAML.format(command=command) + "    deps: [in.txt]\n")
    (project / "in.txt").write_text("one")
    workspace = Workspace(project)
    assert dag.run_stage(workspace, "ingest")
    assert not dag.run_stage(workspace, "ingest")
    (project / "in.txt").write_text("two")
    assert list(dag.changed_stages(workspace)) == ["ingest"]
    assert dag.run_stage(workspace, "ingest")
    assert dag.run_stage(workspace, "ingest", force=True)


def test_a_failure_carries_the_stages_own_message(project: Path) -> None:
    status = '{"stage": "ingest", "ok": false, "kind": "data", "message": "logs: expected one, got none"}'
    (project / "status.json").write_text(status)
    command = "mkdir -p build/status && cp status.json build/status/ingest.json && false"
    (project / "dvc.yaml").write_text(DVC_YAML.format(command=command))
    with pytest.raises(FlowError, match=r"ingest \(data\): logs: expected one, got none"):
        dag.run_stage(Workspace(project), "ingest")


def test_a_stale_failure_is_not_reported_again(project: Path) -> None:
    (project / "build" / "status").mkdir(parents=True)
    (project / "build" / "status" / "ingest.json").write_text('{"stage": "ingest", "ok": false, "message": "old"}')
    (project / "dvc.yaml").write_text(DVC_YAML.format(command="false"))
    with pytest.raises(FlowError, match="its output is above"):
        dag.run_stage(Workspace(project), "ingest")


def test_what_ends_the_flow_ends_the_running_stage(project: Path) -> None:
    (project / "dvc.yaml").write_text(DVC_YAML.format(command="echo $$ > pid.txt && sleep 60"))
    code = (
        "from flows.dag import run_stage; from flows.workspace import Workspace; run_stage(Workspace(), 'ingest')"
    )
    root = str(Path(dag.__file__).parents[1])
    flow = subprocess.Popen([sys.executable, "-c", code], cwd=project, env={**os.environ, "PYTHONPATH": root})
    pid = project / "pid.txt"
    deadline = time.monotonic() + 60
    while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    flow.send_signal(signal.SIGTERM)
    assert flow.wait(timeout=30) == 143
    for _ in range(100):
        if not Path(f"/proc/{pid.read_text().strip()}").exists():
            return
        time.sleep(0.1)
    pytest.fail("the stage outlived its flow")
