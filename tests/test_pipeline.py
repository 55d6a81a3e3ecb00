"""The whole line on a slice of the packaged data, through the commands that a person types."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows import small_build
from rejoinder.errors import BundleError
from rejoinder.parts.opened import open_release
from rejoinder.release.document import RELEASE, read_release
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from stages.anonymize.pseudonyms import pseudonym
from stages.audit.search import search
from tests.checkouts import copy_checkout, environment, run
from tests.reach import ROOT
from tests.stages.generator.tiny import write_base

pytestmark = pytest.mark.pipeline

#: Small enough for minutes, real in every part.
SMALL: dict[str, dict[str, Any]] = {
    "ingest": {"readers": ["native"]},
    "anonymize": {"workers": 1},
    "validate": {"min_conversations": 10, "max_one_sender_share": 0.9, "max_row_loss": 0.5},
    "dialogues": {
        "test_share": 0.25, "validation_share": 0.25, "test_items": 60, "validation_items": 20,
        "test_pool": 300, "validation_pool": 200, "negatives": 40, "ngram_users": [2, 1, 1],
    },
    "vectorizer": {"max_steps": 4, "validate_every": 4, "batch_size": 16, "warmup_steps": 1, "frozen_layers": 5},
    "export": {"forms": ["fp16"], "sample": 100, "rounds": 1},
    "heads": {
        "dim": 32, "hidden": 32, "batch_size": 64, "max_steps": 4, "validate_every": 4, "warmup_steps": 1,
    },
    "base": {"people": 2, "near": 0.5},
    "remarks": {"hidden": 16, "ordinary": 60, "held_out": 0.25},
    "guard": {"most_examples": 12, "ordinary": 60, "everyday": 60, "hidden": 16, "held_out": 0.25},
    "intents": {"most_phrases": 4, "ordinary": 60, "held_out": 0.25},
    "annotators": {"most_written": 12, "most_drawn": 60},
    "ranker": {
        "start": None, "layers": [0, 5], "frozen_layers": 1, "judged": 10, "batch_size": 4, "max_steps": 2,
        "validate_every": 2, "warmup_steps": 1,
    },
    "generator": {
        "base": "tiny-base", "base_sha256": None, "window": 64, "learnt_share": 0.0, "users": [2, 2], "rank": 2,
        "judged": 4, "samples": 8, "batch_size": 2, "max_steps": 2, "validate_every": 2, "save_every": 2,
        "warmup_steps": 1,
    },
    "audit": {"ngram_users": [2, 1, 1], "people": 2, "near": 0.5, "samples": 1},
    "benchmark": {
        "speed_texts": 32, "speed_rounds": 1, "bootstrap_rounds": 100, "replayed": 5, "ranked": 10, "generated": 10,
    },
    "gate": {
        "min_gain_random": -1.0, "min_gain_hard": -1.0, "min_gain_full": -1.0, "max_noise_loss": 1.0,
        "min_gain_ranker": -1.0, "min_junk_below": 0.0,
        "max_perplexity": 1e9, "min_distinct_2": 0.0, "max_candidates_cpu_s": 60.0,
        "min_r_at_1": 0.0, "min_over_bm25": -1.0, "min_speed_ratio": 0.01,
        "max_ask_cpu_s": 60.0, "max_echoes": 1.0, "max_one_word": 1.0, "max_answer_ms": 5000.0,
        "max_index_memory_mb": 500.0,
        "min_cared_for": 0.0, "max_look_alike_alarms": 1.0, "max_ordinary_alarms": 1.0, "max_agreed": 1.0,
    },
}  # fmt: skip


def write_params(project: Path, **changes: dict[str, Any]) -> None:
    """params.yaml of the product, made small, and changed."""
    small_build.write_params(project / "params.yaml", ROOT / "params.yaml", SMALL, changes)


def believing(project: Path) -> Trust:
    """The trust folder of the checkout, which believes its development key."""
    return Trust(project / ".rejoinder" / "trust")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of its own with a released small build."""
    project = tmp_path_factory.mktemp("project")
    copy_checkout(project)
    write_params(project)
    write_base(project / "tiny-base")
    small_build.write_slice(project / "data" / "logs" / "slice.jsonl", conversations=110)
    done = run(project, sys.executable, "-m", "flows.repro")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (project / "repro.txt").write_text(done.stdout)
    return project


@pytest.fixture
def small_again(project: Path) -> Iterator[None]:
    """Put params.yaml back."""
    yield
    write_params(project)


def test_one_command_ends_with_a_release_and_three_answers(project: Path) -> None:
    printed = (project / "repro.txt").read_text()
    assert "rejoinder #1" in printed
    assert printed.count("->") == 3
    assert json.loads((project / "build" / "gate" / "verdict.json").read_text())["verdict"] == "BLESSED"
    assert Store(project / "store").current().release.serial == 1


def test_the_second_run_does_nothing_and_says_so(project: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (project / "build").rglob("*") if p.is_file()}
    done = run(project, sys.executable, "-m", "flows.repro")
    assert done.returncode == 0
    assert done.stdout.startswith("Nothing to do")
    assert before == {p: p.stat().st_mtime_ns for p in (project / "build").rglob("*") if p.is_file()}


def test_metrics_and_plots_are_drawn(project: Path) -> None:
    metrics = run(project, "dvc", "metrics", "show")
    assert "r_at_1.served" in metrics.stdout.replace("\n", "")
    plots = run(project, "dvc", "plots", "show", "--out", "plots")
    assert plots.returncode == 0, plots.stderr
    assert (project / "plots" / "index.html").read_text().count("vega") > 4


def test_the_prefect_flow_runs_the_same_dag_and_finds_the_same_release(project: Path) -> None:
    done = run(project, sys.executable, "-m", "flows.retrain")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "rejoinder #1" in done.stderr + done.stdout
    assert Store(project / "store").current().release.serial == 1


def test_no_byte_of_the_pulled_release_can_change(project: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(project / "store", tmp_path / "store"))
    store = Store(root)
    files = [path for folder in store.current().bundles.values() for path in folder.iterdir()]
    assert len(files) >= 11
    for path in files:
        data = bytearray(path.read_bytes())
        place = len(data) // 2
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(BundleError, match=path.name.replace(".", r"\.")):
            open_release(store.current(), trust=believing(project))
        data[place] ^= 1
        path.write_bytes(data)
    assert open_release(store.current(), trust=believing(project)).release.serial == 1


def is_measured_against_a_champion(project: Path) -> bool:
    measured = json.loads((project / "build" / "benchmark" / "metrics.json").read_text())
    return "champion" in measured["retrieval"]["random"] and "served_over_champion" in measured["gains"]


def test_a_killed_stage_leaves_nothing_half_written_and_the_next_run_heals(
    project: Path, small_again: None
) -> None:
    write_params(project, ranker={"max_steps": 4})
    child = subprocess.Popen(["dvc", "repro"], cwd=project, env=environment(project), start_new_session=True)
    partial = project / "build" / ".ranker.partial"
    deadline = time.monotonic() + 300
    while not partial.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert partial.exists()
    assert not (project / "build" / "ranker").exists()
    healed = run(project, sys.executable, "-m", "flows.repro")
    assert healed.returncode == 0, healed.stderr[-3000:]
    assert (project / "build" / "ranker" / "ranker").is_dir()
    assert not partial.exists()
    # The healed run made another ranker: the release was measured against #1 and became #2.
    assert is_measured_against_a_champion(project)
    assert Store(project / "store").current().release.serial == 2


def test_going_back_to_older_params_is_measured_against_the_new_champion(project: Path) -> None:
    done = run(project, sys.executable, "-m", "flows.repro")
    assert done.returncode == 0, done.stderr[-3000:]
    verdict = json.loads((project / "build" / "gate" / "verdict.json").read_text())
    store = Store(project / "store")
    champion = next(release for release in store.releases() if release.serial == 2)
    assert verdict["champion"] == {"digest": champion.digest}
    assert store.current().release.serial == 3


def test_the_gate_stops_a_worse_candidate_and_nothing_is_registered(project: Path, small_again: None) -> None:
    write_params(project, gate={"min_r_at_1": 0.99})
    done = run(project, sys.executable, "-m", "flows.repro")
    assert done.returncode != 0
    assert "NOT_BLESSED" in done.stderr
    assert "expected >= 0.99" in done.stderr
    refused = run(project, "rejoinder", "register")
    assert refused.returncode != 0
    assert "NOT_BLESSED" in refused.stderr
    assert Store(project / "store").current().release.serial == 3


def test_an_experiment_changes_params_and_is_shown(project: Path, small_again: None) -> None:
    run(project, "git", "add", "-A")
    assert run(project, "git", "commit", "-qm", "built").returncode == 0
    done = run(project, "dvc", "exp", "run", "-S", "gate.min_r_at_1=0.001")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "0.001" in run(project, "dvc", "exp", "show", "--csv").stdout


def audit_report(project: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((project / "build" / "audit" / "audit.json").read_text())
    return report


def test_canaries_went_in_and_are_nowhere(project: Path) -> None:
    report = audit_report(project)
    assert report["canaries"]["planted"] == report["canaries"]["arrived"] == 5
    assert report["canaries"]["found"] == []
    assert report["not_searched"] == []
    assert report["files"] > 100
    secrets = [s for c in json.loads((project / "build/ingest/canaries.json").read_text()) for s in c["secrets"]]
    # The raw zone holds them, so that it is no wonder if a search finds nothing later.
    raw = sorted((project / "build/ingest/messages").iterdir())
    assert {hit.needle for hit in search(raw, secrets)} == set(range(len(secrets)))


def test_a_leaked_canary_stops_the_gate_without_being_repeated(project: Path, tmp_path: Path) -> None:
    leak = project / "build" / "student" / "notes.txt"
    leak.write_text("it was ZORBLATT")
    out = str(tmp_path / "audit")
    audited = run(project, "python", "-m", "stages", "audit", "--out", out)
    judged = run(project, "python", "-m", "stages", "gate", "--audit", out, "--out", str(tmp_path / "gate"))
    leak.unlink()
    assert audited.returncode == 0, audited.stderr
    assert judged.returncode != 0
    assert "secrets of canaries found: expected <= 0, got 1" in judged.stderr
    assert json.loads((tmp_path / "audit/audit.json").read_text())["canaries"]["found"] == [
        {"number": 6, "file": "build/student/notes.txt"}
    ]
    assert "zorblatt" not in (judged.stderr + audited.stderr).lower()


def test_an_erased_sender_is_gone_from_the_next_build_and_the_report_proves_it(
    project: Path, small_again: None
) -> None:
    raw = pl.concat(map(pl.read_parquet, sorted((project / "build/ingest/messages").iterdir())))
    sender = raw.filter(source="native")["sender"].value_counts().sort("count", "sender").row(-1)[0]
    key = bytes.fromhex((project / ".rejoinder/anonymize.key").read_text().strip())
    name = pseudonym(key, "native", sender)
    texts = [t for t in raw.filter(sender=sender)["text"] if len(t) > 40 and "<" not in t]
    own = [t for t in texts if raw["text"].eq(t).sum() == 1][:20]
    built = [p for p in (project / "build").rglob("*") if p.is_file()]
    assert [hit for hit in search(built, [name]) if "dialogues" in str(hit.path)]
    assert own
    assert {hit.needle for hit in search(built, own)} == set(range(len(own)))
    write_params(project, gate={"max_r_at_1_drop": 1.0})  # the lists of so small a build are too short to compare
    (project / "data/erase/requests.txt").write_text(f"# asked in May\nnative/{sender}\n")
    done = run(project, sys.executable, "-m", "flows.repro")
    assert done.returncode == 0, done.stderr[-3000:]
    assert sender not in done.stdout + done.stderr
    report = audit_report(project)
    assert report["erased"] == {"senders": 1, "found": []}
    assert all(counts["below_k"] == 0 for counts in report["support"].values())
    card = json.loads((project / "build/ingest/card.json").read_text())
    assert card["erased"] == raw.filter(sender=sender).height > 0
    assert card["rows_out"] == raw.height - card["erased"]
    # Other data made another vectorizer, whose vectors say nothing beside the champion's: each encoded the lists.
    assert is_measured_against_a_champion(project)
    # Not only the audit says so.
    proof = project / "build/anonymize/erased.json"
    built = [p for p in (project / "build").rglob("*") if p.is_file() and p != proof]
    assert json.loads(proof.read_text())["senders"] == [name]
    assert list(search(built, [name, *own])) == []


def test_the_first_answer_is_cheap(project: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(project, "rejoinder", "ask", "I feel lonely")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The target is 2 CPU-seconds, held by the benchmark; ten would mean that something heavy is imported.
    assert spent < 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min_messages: 1000", "validate.min_messages_"),
        ("readers:", "ingest.readers.0"),
    ],
)
def test_wrong_params_are_named_by_line(project: Path, small_again: None, text: str, expected: str) -> None:
    path = project / "params.yaml"
    changed = {"min_messages: 1000": "min_messages_: 1000", "readers:": "readers:\n  - telegraph"}[text]
    path.write_text(path.read_text().replace(text, changed))
    done = run(project, "dvc", "repro", expected.split(".", maxsplit=1)[0])
    assert done.returncode != 0
    assert f": {expected}" in done.stderr
    assert "params.yaml:" in done.stderr


def test_a_broken_log_line_is_quarantined_and_named(project: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    good = (project / "data" / "logs" / "slice.jsonl").read_text().splitlines()[:200]
    (logs / "a.jsonl").write_text("\n".join([*good, '{"conversation_id": "secret-words"']) + "\n")
    done = run(
        project,
        sys.executable,
        "-m",
        "stages",
        "ingest",
        "--logs",
        str(logs),
        "--erase",
        "data/erase",
        "--out",
        str(tmp_path / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "card.json").read_text())["rejected"] == 1
    assert "secret-words" not in done.stderr + done.stdout


def test_an_environment_with_the_base_wheel_alone_pulls_and_answers(project: Path, tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    words = ("--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(tmp_path), "--quiet")
    built = run(ROOT, str(uv), "build", *words)
    assert built.returncode == 0, built.stderr
    wheel = next(tmp_path.glob("rejoinder-*.whl"))
    home = tmp_path / "venv"
    run(tmp_path, str(uv), "venv", "--quiet", "--python", sys.executable, str(home))
    python = str(home / "bin" / "python")
    install = (
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "--constraint",
        "requirements.lock",
        f"{wheel}[cpu]",
    )
    installed = run(ROOT, str(uv), *install)
    assert installed.returncode == 0, installed.stderr
    absent = ["torch", "transformers", "pandas", "polars", "dvc", "prefect", "pydantic_settings", "stages", "flows"]
    code = f"import importlib.util as u; print([n for n in {absent} if u.find_spec(n)])"
    node = tmp_path / "node"
    node.mkdir()
    assert run(node, python, "-I", "-c", code).stdout.strip() == "[]"
    command = str(home / "bin" / "rejoinder")
    settings = {
        "PATH": f"{home / 'bin'}:/usr/bin:/bin",
        "HOME": str(node),
        "MLFLOW_TRACKING_URI": f"sqlite:///{project / 'mlflow.db'}",
    }

    def rejoinder(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *words], cwd=node, env=settings, capture_output=True, text=True, check=False
        )

    refused = rejoinder("pull")
    assert refused.returncode == 1
    assert "not signed by a trusted key" in refused.stderr
    (node / ".rejoinder" / "trust").mkdir(parents=True)
    shutil.copy(believing(project).root / "development.pub", node / ".rejoinder" / "trust")
    pulled = rejoinder("pull")
    assert pulled.returncode == 0, pulled.stderr
    answered = rejoinder("ask", "--json", "How are you doing today?")
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout)["text"]
    release = Store(node / ".rejoinder" / "store").current().release
    assert read_release(Store(project / "store").release_dir(release.digest) / RELEASE, release.digest) == release
