"""The commands show and diff, over finders that hold two small releases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import registry.show.finders
from registry.errors import NotFoundError
from registry.publish.model_cards import Estimate
from registry.show.commands import diff, diff_table, show
from registry.show.describe import Difference, describe, differences
from rejoinder.cli_options import Commands
from rejoinder.parts import Kind
from rejoinder.release.canonical import digest_bytes
from rejoinder.release.manifest import FileEntry, Manifest, read_manifest
from rejoinder.store.store import Store
from tests.bundles import PHRASES, REPLIES, build_bundles, release_of
from tests.registry.show.test_describe import shelve, statement, verdict

GREEN, RED = "\x1b[32m", "\x1b[31m"
group = Commands("rejoinder", commands=[show, diff])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments)


@dataclass
class FakeFinder:
    """Knows folders by serial or alias, and remembers what it was asked for."""

    held: Mapping[str, tuple[Path, dict[Kind, Manifest]]]
    asked: list[str] = field(default_factory=list)
    where: list[object] = field(default_factory=list)

    def folder(self, which: str, into: Path) -> tuple[Path, dict[Kind, Manifest]]:
        assert not into.exists()
        self.asked.append(which)
        if which not in self.held:
            raise NotFoundError(f"release {which}: not here. Next: rejoinder releases")
        return self.held[which]


@dataclass
class Finders:
    """The two places, and what lies on them."""

    local: FakeFinder
    remote: FakeFinder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[Kind, Manifest]]]:
    """Release 1, and release 2 with another cache, parameters, tools and figures."""
    root = tmp_path_factory.mktemp("finder")
    first = {kind: read_manifest(path) for kind, path in build_bundles(root).items()}
    entry = FileEntry(3_000_000, digest_bytes(b"new"))
    second = {**first, "cache": replace(first["cache"], files={**first["cache"].files, "keys.npy": entry})}
    built = statement(tool="2.14.0", commit="c" * 40, layers=[0, 2])
    return {
        "1": (shelve(root / "1", release_of(first), first), first),
        "2": (
            shelve(root / "2", release_of(second, serial=2), second, provenance=built, verdict=verdict(0.39)),
            second,
        ),
    }


@pytest.fixture
def finders(folders: dict[str, tuple[Path, dict[Kind, Manifest]]], monkeypatch: pytest.MonkeyPatch) -> Finders:
    one, two = folders["1"], folders["2"]
    found = Finders(
        local=FakeFinder({"1": one, "current": one}),
        remote=FakeFinder({"1": one, "2": two, "champion": two, "previous": one}),
    )

    def store_finder(store: Store, name: str) -> FakeFinder:
        found.local.where.append((store.root, name))
        return found.local

    def mlflow_finder(name: str) -> FakeFinder:
        found.remote.where.append(name)
        return found.remote

    monkeypatch.setattr(registry.show.finders, "store_finder", store_finder)
    monkeypatch.setattr(registry.show.finders, "mlflow_finder", mlflow_finder)
    return found


def test_show_shows_the_current_release_by_default(finders: Finders) -> None:
    result = run("show", "--store", "somewhere", "--name", "other")
    assert result.exit_code == 0, result.output
    assert finders.local.asked == ["current"]
    assert finders.local.where == [(Path("somewhere"), "other")]
    for part in (
        "rejoinder #1",
        "BLESSED",
        "model.cpu.onnx",
        "0.999990",
        "sizes, MB",
        "gitCommit:aaaaaaaaaaaa",
        "0.34  [0.320, 0.360]",
    ):
        assert part in result.stdout
    assert "retrieval/random/bm25" not in result.stdout
    assert "a" * 13 not in result.stdout


def test_show_remote_shows_the_champion(finders: Finders) -> None:
    assert "rejoinder #2" in run("show", "--remote").stdout
    assert finders.remote.asked == ["champion"]
    assert finders.local.asked == []


def test_show_as_json_holds_everything_that_may_be_told(finders: Finders) -> None:
    document = json.loads(run("show", "--json", "--", "1").stdout)
    assert set(document) == {"release", "verdict", "provenance", "bom", "sizes_mb", "files"}
    assert document["release"]["serial"] == 1
    assert document["release"]["digest"].startswith("sha256:")
    assert document["bom"]["licences"]["numpy"]


@pytest.mark.parametrize(
    ("words", "local", "remote"),
    [
        (["1", "1"], ["1", "1"], []),
        (["1", "2", "--remote"], [], ["1", "2"]),
        (["current", "champion"], ["current"], ["champion"]),
        (["current", "2", "--remote"], ["current"], ["2"]),
        (["previous", "champion", "--remote"], [], ["previous", "champion"]),
        (["#01", "champion"], ["1"], ["champion"]),
    ],
)
def test_each_word_is_looked_up_where_it_means_something(
    finders: Finders, words: list[str], local: list[str], remote: list[str]
) -> None:
    result = run("diff", *words)
    assert result.exit_code == 0, result.output
    assert (finders.local.asked, finders.remote.asked) == (local, remote)


def test_diff_shows_only_what_changed(finders: Finders) -> None:
    shown = run("diff", "current", "champion").stdout
    lines = [line for line in shown.splitlines() if "│" in line]
    for part in ("cache/keys.npy", "vectorizer.layers", "git commit", "onnx", "served/r_at_1"):
        assert [line for line in lines if part in line], part
    for part in ("model.cpu.onnx", "vectorizer.seed", "data/logs", "expires", "replies.jsonl"):
        assert part not in shown
    (figure,) = [line for line in lines if "served/r_at_1" in line]
    assert "0.34  [0.320, 0.360]" in figure
    assert "0.39  [0.370, 0.410]" in figure
    assert "+0.05" in figure
    (size,) = [line for line in lines if "total" in line]
    assert "+3" in size


def test_diff_all_shows_what_stayed_too(finders: Finders) -> None:
    shown = run("diff", "1", "2", "--remote", "--all").stdout
    for part in ("model.cpu.onnx", "vectorizer.seed", "retrieval/random/bm25/r_at_1", "cache/keys.npy"):
        assert part in shown


def test_diff_counts_the_figures_that_it_does_not_show(
    folders: dict[str, tuple[Path, dict[Kind, Manifest]]], tmp_path: Path
) -> None:
    _, manifests = folders["1"]
    document = json.loads(verdict())
    document["metrics"]["retrieval"]["random"]["bm25"]["r_at_1"] = 0.21
    data = json.dumps(document).encode()
    a = describe(*folders["1"])
    b = describe(shelve(tmp_path, release_of(manifests), manifests, verdict=data), manifests)
    found = differences(a, b)
    assert len(found) == 1
    table = diff_table(found, a, b)
    assert table.row_count == 0
    assert "1 more figures" in str(table.caption)
    assert diff_table(found, a, b, everything=True).row_count == 1


def test_show_tells_what_the_gate_remarked(
    folders: dict[str, tuple[Path, dict[Kind, Manifest]]], finders: Finders, tmp_path: Path
) -> None:
    _, manifests = folders["1"]
    remark = {**json.loads(verdict()), "reasons": ["no champion yet: judged by floors alone"]}
    folder = shelve(tmp_path, release_of(manifests), manifests, verdict=json.dumps(remark).encode())
    finders.local.held = {"current": (folder, manifests)}
    assert "no champion yet: judged by floors alone" in run("show").stdout


def test_diff_as_json(finders: Finders) -> None:
    document = json.loads(run("diff", "1", "2", "--remote", "--json").stdout)
    assert set(document) == {"before", "after", "differences"}
    found: dict[str, dict[str, Any]] = {f"{d['section']} {d['key']}": d for d in document["differences"]}
    assert found["metrics retrieval/random/served/r_at_1"]["delta"] == pytest.approx(0.05)
    assert found["metrics retrieval/random/served/r_at_1"]["before"]["low"] == pytest.approx(0.32)
    assert found["release serial"] == {
        "section": "release", "key": "serial", "before": 1, "after": 2, "delta": None
    }  # fmt: skip
    everything = json.loads(run("diff", "1", "2", "--remote", "--json", "--all").stdout)["differences"]
    assert len(everything) > len(found)


def test_a_release_does_not_differ_from_itself(finders: Finders) -> None:
    assert run("diff", "1", "current").stdout.startswith("no difference: both are rejoinder #1")


def test_no_message_is_shown(finders: Finders) -> None:
    shown = "".join(
        run(*words).stdout for words in (["show"], ["show", "--json"], ["diff", "current", "2", "--all"])
    )
    assert [said for said in (*REPLIES, *PHRASES) if len(said) > 5 and said in shown] == []


@pytest.mark.parametrize("which", ["0", "-1", "latest", "1.5", "", "9" * 30, "1; rm"])
def test_what_is_no_release_is_wrong_usage(finders: Finders, which: str) -> None:
    result = run("show", "--", which)
    assert result.exit_code == 2
    assert "expected a serial or one of champion" in result.stderr
    assert run("diff", "--", which, "1").exit_code == 2
    assert finders.local.asked == finders.remote.asked == []


def test_a_release_that_is_nowhere_is_one_message(finders: Finders) -> None:
    result = run("diff", "1", "7")
    assert result.exit_code == 1
    assert result.stderr == "Error: release 7: not here. Next: rejoinder releases\n"


@pytest.mark.parametrize("command", [show, diff])
def test_help_has_examples(command: click.Command) -> None:
    shown = run(str(command.name), "--help").stdout
    assert f"rejoinder {command.name}" in shown.split("Example")[1]


def colours(one: Difference, folders: dict[str, tuple[Path, dict[Kind, Manifest]]], terminal: bool) -> str:
    a, b = describe(*folders["1"]), describe(*folders["2"])
    console = Console(force_terminal=terminal, width=160, color_system="standard" if terminal else None)
    with console.capture() as capture:
        console.print(diff_table([one], a, b, everything=True))
    return capture.get()


@pytest.mark.parametrize(
    ("one", "colour"),
    [
        (Difference("metrics", "retrieval/random/served/mrr", 0.3, 0.4), GREEN),
        (Difference("metrics", "retrieval/random/served/mrr", 0.4, 0.3), RED),
        (Difference("metrics", "opening/process_cpu_s", 2.0, 1.0), GREEN),
        (Difference("sizes", "model", 100.0, 120.0), RED),
        (Difference("metrics", "cache/phrases", 10.0, 20.0), None),  # more is neither better nor worse
        # Outside and inside of the interval that the figure had.
        (Difference("metrics", "a/r_at_1", Estimate(0.3, 0.28, 0.32), Estimate(0.33, 0.31, 0.35)), GREEN),
        (Difference("metrics", "a/r_at_1", Estimate(0.3, 0.28, 0.32), Estimate(0.31, 0.29, 0.33)), None),
    ],
)
def test_a_terminal_sees_what_improved(
    folders: dict[str, tuple[Path, dict[Kind, Manifest]]], one: Difference, colour: str | None
) -> None:
    painted = colours(one, folders, terminal=True)
    assert [code for code in (GREEN, RED) if code in painted] == ([colour] if colour else [])
    assert f"{one.delta:+.4g}" in painted
    assert "\x1b" not in colours(one, folders, terminal=False)


def test_text_from_a_document_cannot_steer_the_terminal(
    folders: dict[str, tuple[Path, dict[Kind, Manifest]]],
) -> None:
    one = Difference("tools", "[red]onnx\x1b[2J", "1.0\x1b]0;owned\x07", "[bold]2.0")
    shown = colours(one, folders, terminal=False)
    assert "\x1b" not in shown
    assert "[red]onnx" in shown
    assert "[bold]2.0" in shown
