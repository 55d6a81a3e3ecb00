"""The command that the README begins with, once, in a copy of the repository, in a hostile environment."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from rejoinder.parts.opened import open_current
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from stages.names import STAGES
from tests.checkouts import copy_checkout, environment, run

pytestmark = pytest.mark.pipeline

DEMO = (sys.executable, "-m", "flows.demo")


@dataclass
class Demo:
    """A checkout, what was in it before, and what the demo printed."""

    checkout: Path
    settings: dict[str, str]
    before: dict[str, object]
    done: subprocess.CompletedProcess[str]

    @property
    def folder(self) -> Path:
        return self.checkout / "build" / "demo"


def state(checkout: Path) -> dict[str, object]:
    """What `git status` and `dvc status` say, and every file that is neither git's nor a build's."""
    skipped = {"build", ".git", "__pycache__"}
    files = [p for p in checkout.rglob("*") if p.is_file() and not skipped & set(p.relative_to(checkout).parts)]
    kept = {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files if ".dvc" not in p.parts}
    said = [run(checkout, *words).stdout for words in (("git", "status", "--porcelain"), ("dvc", "status"))]
    return {"files": kept, "git": said[0], "dvc": said[1]}


def poisoned(folder: Path) -> dict[str, str]:
    """What a person may have set for releases of their own; nothing of it may be used."""
    return {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "REJOINDER_HOME": str(folder / "home"),
        "REJOINDER_STORE": str(folder / "store"),
        "REJOINDER_TRUST": str(folder / "trust"),
        "REJOINDER_SIGNING_KEY": str(folder / "no-such-key.pem"),
        "REJOINDER_ANONYMIZE_KEY": "no key",
    }


def kill_half_way(checkout: Path, settings: dict[str, str]) -> None:
    """Begin a demo, and kill it without a word while its second stage runs."""
    status = checkout / "build" / "demo" / "build" / "status" / "anonymize.json"
    child = subprocess.Popen(DEMO, cwd=checkout, env=environment(checkout) | settings, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not status.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert '"running"' in status.read_text()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    checkout = tmp_path_factory.mktemp("checkout")
    copy_checkout(checkout)
    run(checkout, "git", "add", "-A")
    assert run(checkout, "git", "commit", "-qm", "a clone").returncode == 0
    for name in ("trust/mine.pub", "accepted/snapshot.json", "anonymize.key"):
        (checkout / ".rejoinder" / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / ".rejoinder" / name).write_text(f"my own {name}")
    settings = poisoned(tmp_path_factory.mktemp("mine"))
    before = state(checkout)
    kill_half_way(checkout, settings)
    done = run(checkout, *DEMO, settings=settings, timeout=3600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Demo(checkout, settings, before, done)


def test_a_demo_that_was_killed_half_way_ends_with_a_release_and_three_answers(demo: Demo) -> None:
    assert "rejoinder-demo #1" in demo.done.stdout
    assert demo.done.stdout.count("->") == 3
    opened = open_current(Store(demo.folder / ".rejoinder/store"), trust=Trust(demo.folder / ".rejoinder/trust"))
    assert opened.release.name == "rejoinder-demo"


def test_every_stage_has_one_line_with_its_seconds(demo: Demo) -> None:
    lines = re.findall(rf"^\[ ?(\d+)/{len(STAGES)}\] (\w+) +[\d.]+ s", demo.done.stderr, re.MULTILINE)
    assert [number for number, _ in lines] == [str(n + 1) for n in range(len(STAGES))]
    assert tuple(name for _, name in lines) == STAGES
    assert "Running stage" not in demo.done.stdout + demo.done.stderr


def test_what_it_prints_to_go_on_with_works_as_printed(demo: Demo) -> None:
    ask = next(line.strip() for line in demo.done.stdout.splitlines() if " ask " in line)
    done = run(demo.checkout, "bash", "-c", ask, settings={"REJOINDER_STORE": ""})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_checkout_is_as_it_was(demo: Demo) -> None:
    assert state(demo.checkout) == demo.before


def test_nothing_of_the_persons_environment_was_used(demo: Demo) -> None:
    mine = Path(demo.settings["REJOINDER_STORE"]).parent
    assert list(mine.iterdir()) == []
    assert (demo.folder / "mlflow.db").is_file()


def test_a_real_store_refuses_its_release_by_key_and_by_name(demo: Demo, tmp_path: Path) -> None:
    pull = (
        "rejoinder",
        "pull",
        "--from",
        str(demo.folder / ".rejoinder/store"),
        "--store",
        str(tmp_path / "store"),
    )
    by_key = run(demo.checkout, *pull, "--name", "rejoinder-demo", settings={"REJOINDER_TRUST": str(tmp_path)})
    assert by_key.returncode == 1
    assert "not signed by a trusted key" in by_key.stderr
    by_name = run(demo.checkout, *pull, settings={"REJOINDER_TRUST": str(demo.folder / ".rejoinder/trust")})
    assert by_name.returncode == 1
    assert "expected rejoinder, got rejoinder-demo" in by_name.stderr
    assert Store(tmp_path / "store").current_digest() is None


def test_the_second_run_does_nothing_and_says_so(demo: Demo) -> None:
    built = {p: p.stat().st_mtime_ns for p in (demo.folder / "build").rglob("*") if p.is_file()}
    done = run(demo.checkout, *DEMO, settings=demo.settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Nothing to do: rejoinder-demo #1")
    assert 'ask "I feel lonely"' in done.stdout  # what to do next, as after the first run
    assert built == {p: p.stat().st_mtime_ns for p in (demo.folder / "build").rglob("*") if p.is_file()}


def test_in_a_clone_that_was_moved_it_registers_anew_what_it_has_built(demo: Demo, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    os.rename(demo.checkout, moved)  # noqa: PTH104
    try:
        done = run(moved, *DEMO, settings=demo.settings)
    finally:
        os.rename(moved, demo.checkout)  # noqa: PTH104
    assert done.returncode == 0, done.stderr[-3000:]
    assert "rejoinder-demo #1" in done.stdout
    assert len(re.findall(r"\] \w+ +0\.\d s  unchanged$", done.stderr, re.MULTILINE)) == len(STAGES)
