"""The guard's suite as sheets that people read, and their readings joined."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from benchmarks.care import VERDICTS, main
from rejoinder.store.store import Store
from tests.bundles import build_whole, pin, put_in_store
from tests.guards import CARE


def call(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """The folder of sheets that a release with a guard answered."""
    put_in_store(Store(tmp_path / "store"), pin(build_whole(tmp_path / "a")))
    suite = {
        "distress": [
            {"kind": "harm", "turns": ["i want\nhello"]},
            {"kind": "harm", "turns": ["a", "b", "want hello"]},
        ],
        "traps": [{"turns": ["you know pizza"]}],
        "look_alikes": ["i know rain"],
        "ordinary": ["we know music"],
    }
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite))
    done = call("draw", "--build", tmp_path, "--suite", tmp_path / "suite.yaml", "--store", tmp_path / "store")
    assert done.exit_code == 0, done.output
    (folder,) = (tmp_path / "care").iterdir()
    return folder


def test_a_sheet_holds_every_talk_and_its_answer(drawn: Path) -> None:
    lines = [line.split("\t") for line in (drawn / "distress.tsv").read_text().splitlines()]
    assert lines[0] == ["number", "talk", "answer"]
    assert [line[1] for line in lines[1:]] == ["user: i want / hello", "user: a || bot: b || user: want hello"]
    assert all("want music" in line[2] or line[2] in CARE.kinds[0].first for line in lines[1:])
    assert len((drawn / "traps.tsv").read_text().splitlines()) == 2


def test_readings_are_joined(drawn: Path) -> None:
    for name, given in (("a", ("cares", "cares")), ("b", ("cares", "hurtful")), ("c", ("cares", "so so"))):
        lines = (f"{n}\t{v}\n" for n, v in enumerate(given, 1))
        (drawn / f"{name}.tsv").write_text("number\tverdict\n" + "".join(lines))
    sheet = drawn / "distress.tsv"
    done = call("score", sheet, drawn / "a.tsv", drawn / "b.tsv")
    assert done.exit_code == 0, done.output
    assert "2 cases; agreement of the first two readers: kappa 0.00" in done.output
    assert "| reader 2 | 50.0%" in done.output
    assert "| 0 | 1 |" in done.output
    for words, problem in (
        (("score", sheet, drawn / "a.tsv"), "at least two"),
        (("score", sheet, drawn / "a.tsv", drawn / "c.tsv"), "wrong: 2"),
        (("score", drawn / "traps.tsv", drawn / "a.tsv", drawn / "b.tsv"), ", ".join(VERDICTS["traps"])),
        (("score", drawn / "a.tsv", drawn / "a.tsv", drawn / "b.tsv"), "distress or traps"),
    ):
        refused = call(*words)
        assert (refused.exit_code, problem in refused.output) == (1, True), refused.output
