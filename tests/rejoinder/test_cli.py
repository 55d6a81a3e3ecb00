"""The runtime's commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rejoinder.answer import responder
from rejoinder.answer.state import Step
from rejoinder.cli import main
from rejoinder.store.store import Store
from tests.bundles import REPLIES, build_bundles, pin, put_in_store
from tests.rejoinder.parts.test_opened import flip


def run(store: Store, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [*arguments, "--store", str(store.root)], input=stdin)


def test_ask_prints_the_reply_alone(store: Store) -> None:
    result = run(store, "ask", "I feel lonely")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() in REPLIES
    assert result.stderr == ""


def test_ask_reads_a_dialogue(store: Store) -> None:
    piped = run(store, "ask", "--json", stdin="hi\nyou miss home\nI feel lonely\n")
    alone = run(store, "ask", "--json", "I feel lonely")
    assert (piped.exit_code, alone.exit_code) == (0, 0)
    assert json.loads(piped.stdout)["candidates"] != json.loads(alone.stdout)["candidates"]


def test_ask_for_machines(store: Store) -> None:
    answer = json.loads(run(store, "ask", "--json", "hi").stdout)
    assert answer["source"] == "cold"
    assert answer["release"] == str(store.current().release)
    steps = {step.name for step in responder.STEPS}
    assert set(answer["milliseconds"]) == {"open", "search", *steps}
    assert (answer["route"], answer["probability"], answer["fallback"]) == ("free", 1.0, "")
    assert answer["milliseconds"]["search"] == answer["milliseconds"]["retrieve"]
    assert answer["text"] in [c["text"] for c in answer["candidates"] if c["dropped"] is None]


def test_steps_are_shown_whatever_they_are_called(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    shy = Step("shy", lambda state: state.drop(lambda candidate: "too loud" if candidate.score > 0.9 else None))
    monkeypatch.setattr(responder, "STEPS", (*responder.STEPS[:6], shy, *responder.STEPS[6:]))
    steps = {
        step["name"]: step for step in json.loads(run(store, "ask", "--json", "I feel lonely").stdout)["steps"]
    }
    names = [step.name for step in responder.STEPS]
    assert list(steps)[5:8] == ["retrieve", "shy", "remark"]
    assert set(steps) == set(names)
    assert (steps["retrieve"]["candidates_in"], steps["retrieve"]["candidates_out"]) == (0, 20)
    loud = steps["shy"]["dropped"]["too loud"]
    assert steps["shy"]["candidates_out"] == steps["filter"]["candidates_in"] == 20 - loud < 20
    shown = run(store, "ask", "--trace", "I feel lonely").stderr
    assert re.search(rf"shy +\S +\S+ +\S +20 +\S +{20 - loud} +\S +too loud {loud} ", shown)


def test_the_trace_leaves_standard_output_alone(store: Store) -> None:
    result = run(store, "ask", "--trace", "I feel lonely")
    assert result.stdout.strip() in REPLIES
    for part in ("cache hit (cold)", "echo", "open", "encode", "retrieve", "filter"):
        assert part in result.stderr


def test_no_candidate_left(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    put_in_store(store, pin(build_bundles(tmp_path / "built", replies=["Hello!"])))
    result = run(store, "ask", "hello")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "dropped" in result.stderr
    assert json.loads(run(store, "ask", "--json", "hello").stdout)["text"] is None


@pytest.mark.parametrize("arguments", [("ask",), ("ask", "  ")])
def test_nothing_to_answer(store: Store, arguments: tuple[str, ...]) -> None:
    result = run(store, *arguments, stdin="\n")
    assert result.exit_code == 1
    assert "nothing to answer" in result.stderr


def test_a_dialogue_in_another_encoding_is_named(store: Store) -> None:
    result = CliRunner().invoke(main, ["ask", "--store", str(store.root)], input="caf\u00e9\n".encode("latin-1"))
    assert result.exit_code == 1
    assert "expected UTF-8, got another encoding at byte 3" in result.stderr


def test_a_wheel_without_extras_names_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("rejoinder.") and name != "rejoinder.cli"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = run(store, "ask", "hi")
    assert result.exit_code == 1
    assert "pip install 'rejoinder[cpu]'" in result.stderr


def test_verify_lists_every_part(store: Store) -> None:
    result = run(store, "verify")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("OK") == 3
    assert "CPUExecutionProvider" in result.stdout


def test_a_damaged_release_is_refused_in_one_message(store: Store) -> None:
    directory = store.current().bundles["index"]
    flip(directory / "replies.jsonl", 0.5)
    for command in (("verify",), ("ask", "hi")):
        result = run(store, *command)
        assert result.exit_code == 1
        assert "index/replies.jsonl" in result.stderr
        assert "Traceback" not in result.stderr


def test_releases_marks_the_current_one(store: Store) -> None:
    result = run(store, "releases")
    assert result.stdout.startswith(f"* {store.current().release}")


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    for command in (("ask", "hi"), ("verify",), ("releases",)):
        result = run(Store(tmp_path), *command)
        assert result.exit_code == 1
        assert "rejoinder pull" in result.stderr


def test_the_module_runs(store: Store) -> None:
    command = [sys.executable, "-m", "rejoinder", "ask", "I feel lonely", "--store", str(store.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in REPLIES


def test_a_terminal_without_words_is_a_usage_error(store: Store) -> None:
    controller, terminal = os.openpty()
    command = [sys.executable, "-m", "rejoinder", "ask", "--store", str(store.root)]
    done = subprocess.run(command, stdin=terminal, capture_output=True, text=True, check=False)
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert "nothing to answer" in done.stderr
