"""A whole tiny release: conversations, workers and the blind sheet of one release in two ways."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from benchmarks.generator import conversations, judgement, speed, threshold, work
from benchmarks.generator.conversations import WAYS, talk
from benchmarks.generator.setting import Setting
from benchmarks.generator.switched import ALWAYS, OFF, asked_and_said, switched
from benchmarks.generator.workers import Worker
from benchmarks.judge import KEY, SHEET
from rejoinder.answer.generate import GENERATE
from rejoinder.answer.reply import Candidate, Reply, StepTrace, Trace
from rejoinder.parts import GENERATOR
from rejoinder.release.forms import CPU
from rejoinder.store.store import Store
from tests.bundles import build_whole, pin, put_in_store
from tests.reach import ROOT


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("generator")
    store = Store(folder / "store")
    put_in_store(store, pin(build_whole(folder / "a")))
    rows = [("1", "c1", "test", ["i like rain", "you too", "we miss home"], [False, True, False])]
    rows += [(f"{n}", f"d{n}", "test", [text], [False]) for n, text in enumerate(("i love rain", "hello you"))]
    names = ["pair_id", "conversation_id", "split", "context", "context_own"]
    (folder / "build/dialogues").mkdir(parents=True)
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(folder / "build/dialogues/pairs.parquet")
    return Setting(folder / "build", store.current().bundles[GENERATOR.bundle], store, is_quick=True)


def test_another_way_shares_the_release_and_leaves_it_alone(setting: Setting) -> None:
    with setting.release() as opened:
        other = switched(opened, ALWAYS, temperature=0.0)
        assert other.generator is not None
        assert opened.generator is not None
        assert (other.generator.when, opened.generator.when) == (ALWAYS, OFF)
        assert (other.generator.sampling.temperature, opened.generator.sampling.temperature) == (0.0, 1.0)
        assert other.encoder is opened.encoder
        again = switched(opened, ALWAYS)
        assert again.generator is not None
        assert again.generator._decoder is other.generator._decoder, "one graph for both"


def test_conversations_repeat_and_have_as_many_turns_as_the_page_says(setting: Setting) -> None:
    with setting.release() as opened:
        for way in WAYS:
            first, again = (talk(way.answer(opened), ["i like rain", "hello"]) for _ in range(2))
            assert first == again
            assert len(first) == 6 or first[-1].text == ""
            assert [one.speaker for one in first] == (["user", "bot"] * 3)[: len(first)]
            assert first[0].source == ""


def test_who_answers_with_itself_is_the_bot_in_its_own_eyes() -> None:
    seen = []

    def answer(turns: object, own: list[bool], seed: int) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        seen.append(list(own))
        return f"turn {seed}", "generator", ()

    said = talk(answer, ["hello"])  # type: ignore[arg-type]
    assert seen[:3] == [[False], [True, False], [False, True, False]]
    assert len(said) == 6


def test_the_part_writes_its_page(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.generator.setting.KEPT", tmp_path)
    figures = conversations.PART.run(setting)
    assert (tmp_path / "quick/conversations.html").stat().st_size > 1000
    assert "Sample conversations" in conversations.PART.section(figures)
    kept = conversations.PART.kept(setting)
    assert kept is not None
    assert kept["shares"] == figures["shares"]


def test_a_worker_draws_replies_of_a_fixed_length(setting: Setting) -> None:
    with Worker("ours", [str(setting.bundle), CPU], 1) as worker:
        assert worker.ready["after"]["pss"] > worker.ready["before"]["pss"] > 0
        spent = worker.timed(n=3)
        assert spent.wall > 0
    drawn = work.ours(str(setting.bundle), CPU)({"n": 3})
    assert drawn == []  # nothing ends, so nothing is finished


def test_a_worker_that_cannot_start_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="end of the process"):
        Worker("ours", [str(tmp_path), CPU], 1)


def test_figures_of_speed_are_shown() -> None:
    spent = {"8": {"wall": 0.5, "cpu": 1.0}, "1": {"wall": 0.1, "cpu": 0.2}}
    slow = {n: {key: 7 * value for key, value in of.items()} for n, of in spent.items()}
    taken = {f"{when} {key}": 100.0 for when in ("open", "asked") for key in ("pss", "rss", "in_no_file")}
    replies = {
        "p50": 0.1,
        "p95": 0.2,
        "generated_p95": None,
        "worst": 0.3,
        "cpu": 0.1,
        "generated": 0.0,
        "said": 0.0,
    }
    figures = {
        "threads": 2, "rounds": 3, "bundle_mb": 90.0, "turns": 6, "memory": {"without": taken, "with": taken},
        "candidates": {speed.OURS: spent, speed.VINO: slow, speed.FACE: slow},
        "answers": dict.fromkeys(("off", "always"), replies),
    }  # fmt: skip
    shown = speed.report(figures)
    assert "7.00" in shown
    assert "The bundle holds 90.0 MB." in shown


def test_who_worked_and_finished_nothing_was_asked() -> None:
    def reply(milliseconds: float, *candidates: Candidate) -> Reply:
        step = StepTrace(GENERATE, milliseconds, 0, 0, {})
        return Reply("hello", Trace("r", "", (), candidates, (step,)))

    made, dropped = (Candidate("hello", 0.1, None, why, GENERATOR.name) for why in (None, "echo"))
    assert asked_and_said(reply(500.0)) == (True, False)
    assert asked_and_said(reply(0.5, Candidate("hello", 0.1, 3))) == (False, False)
    assert asked_and_said(reply(500.0, made)) == (True, True)
    assert asked_and_said(reply(500.0, dropped)) == (True, False)


def test_asking_below_a_threshold_costs_what_the_turns_below_it_cost(setting: Setting) -> None:
    turns = [
        threshold.Turn(best=0.2, off=0.01, always=0.5, is_asked=True, is_said=True),
        threshold.Turn(best=0.4, off=0.01, always=0.5, is_asked=True, is_said=False),
        threshold.Turn(best=0.2, off=0.01, always=0.02, is_asked=False, is_said=False),
        threshold.Turn(best=0.9, off=0.01, always=0.5, is_asked=True, is_said=True),
    ]
    assert threshold.row(turns, -inf) == ["0.0%", "0.0%", "10", "10", "10"]
    assert threshold.row(turns, 0.3)[:3] == ["25.0%", "25.0%", "132"]
    assert threshold.row(turns, inf)[:3] == ["75.0%", "50.0%", "378"]
    figures = json.loads(json.dumps(threshold.measure(setting)))
    assert 1 <= len(figures["turns"]) <= 8
    shown = threshold.report(figures)
    assert "| never | 0.0% |" in shown
    assert "| always |" in shown


def test_a_sheet_holds_one_release_in_two_ways_and_is_drawn_once(setting: Setting, tmp_path: Path) -> None:
    (tmp_path / "turns.txt").write_text("we know rain\n")
    words = ["--build", setting.build, "--bundle", setting.bundle, "--store", setting.store.root]
    words += ["--turns", tmp_path / "turns.txt", "--seed", 3, "--params", ROOT / "params.yaml"]
    done = CliRunner().invoke(judgement.main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    (folder,) = (setting.build / "judge").iterdir()
    assert folder.name.endswith("-always-against-off")
    lines = [line.split("\t") for line in (folder / SHEET).read_text().splitlines()][1:]
    turns = {line[1] for line in lines}
    assert turns == {"we know rain", "i love rain", "hello you", "i like rain / you too / we miss home"}
    key = json.loads((folder / KEY).read_text())
    assert (key["candidate"], key["champion"]) == ("generator always", "generator off")
    again = CliRunner().invoke(judgement.main, list(map(str, words)))
    assert again.exit_code == 1
    assert "judged once" in again.output
