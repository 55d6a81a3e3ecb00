import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import dag
from flows.errors import FlowError

DVC_YAML = """
stages:
  ingest:
    cmd: {command}
    outs: [out.txt]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC project of one stage, in the working directory."""
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], check=True)
    return tmp_path


def test_a_stage_runs_once(project: Path) -> None:
    (project / "dvc.yaml").write_text(DVC_YAML.format(command="echo 1 >> log.txt && echo done > out.txt"))
    assert not dag.is_current()
    dag.reproduce()
    dag.reproduce()
    assert dag.is_current()
    assert (project / "log.txt").read_text() == "1\n"


def test_a_failure_carries_the_stages_own_message(project: Path) -> None:
    status = '{"stage": "ingest", "ok": false, "kind": "data", "message": "logs: expected one, got none"}'
    (project / "status.json").write_text(status)
    command = "mkdir -p build/status && cp status.json build/status/ingest.json && false"
    (project / "dvc.yaml").write_text(DVC_YAML.format(command=command))
    with pytest.raises(FlowError, match=r"ingest \(data\): logs: expected one, got none"):
        dag.reproduce()


def test_a_stale_failure_is_not_reported_again(project: Path) -> None:
    (project / "build" / "status").mkdir(parents=True)
    (project / "build" / "status" / "ingest.json").write_text('{"stage": "ingest", "ok": false, "message": "old"}')
    (project / "dvc.yaml").write_text(DVC_YAML.format(command="false"))
    with pytest.raises(FlowError, match="its output is above"):
        dag.reproduce()


def test_what_ends_the_flow_ends_the_running_stage(project: Path) -> None:
    (project / "dvc.yaml").write_text(DVC_YAML.format(command="echo $$ > pid.txt && sleep 60"))
    code = "from flows.dag import reproduce; reproduce()"
    root = str(Path(dag.__file__).parents[1])
    flow = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": root})
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
