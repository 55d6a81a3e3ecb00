"""The blind sheet: which side is which cannot be told from it, and readings are joined by the key."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from benchmarks.judge import KEY, SHEET, kappa, main, wilson
from rejoinder.store.store import Store
from tests.bundles import REPLIES, build_whole, pin, put_in_store


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store with two releases, and test dialogues."""
    store = Store(tmp_path / "store")
    put_in_store(store, pin(build_whole(tmp_path / "a", replies=REPLIES[::2])))
    put_in_store(store, pin(build_whole(tmp_path / "b", replies=REPLIES[1::2]), serial=2))
    rows = [
        ("test", ["i love rain"]), ("test", ["hello"]), ("test", ["you know <PERSON_1>"]), ("test", ["a", "b c"]),
        ("train", ["we miss pizza"]), ("test", ["they want music"]),
    ]  # fmt: skip
    (tmp_path / "build/dialogues").mkdir(parents=True)
    pairs = pl.DataFrame(rows, schema=["split", "context"], orient="row")
    pairs.write_parquet(tmp_path / "build/dialogues/pairs.parquet")
    (tmp_path / "turns.txt").write_text("my cat feel lonely\n\nwe know rain\n")
    return tmp_path


def drawn(place: Path, seed: int = 1) -> Result:
    words = ["draw", "--build", place / "build", "--store", place / "store", "--turns", place / "turns.txt"]
    return CliRunner().invoke(main, [*map(str, words), "--seed", str(seed)])


def test_a_sheet_holds_both_replies_and_no_hint_and_is_drawn_once(place: Path) -> None:
    done = drawn(place)
    assert done.exit_code == 0, done.output
    (folder,) = (place / "build/judge").iterdir()
    lines = [line.split("\t") for line in (folder / SHEET).read_text().splitlines()]
    assert lines[0] == ["number", "turn", "left", "right"]
    asked = {"i love rain", "they want music", "my cat feel lonely", "we know rain"}
    assert {line[1] for line in lines[1:]} == asked
    key = json.loads((folder / KEY).read_text())
    for (_, _, left, right), side in zip(lines[1:], key["sides"], strict=True):
        candidate, champion = (left, right) if side == "left" else (right, left)
        assert candidate in REPLIES[1::2]
        assert champion in REPLIES[::2]
    again = drawn(place, seed=2)
    assert again.exit_code == 1
    assert "judged once" in again.output


def read(folder: Path, name: str, candidate: str, champion: str) -> str:
    sides = json.loads((folder / KEY).read_text())["sides"]
    pairs = [(candidate, champion) if side == "left" else (champion, candidate) for side in sides]
    path = folder / name
    path.write_text("".join(f"{n}\t{a}\t{b}\n" for n, (a, b) in enumerate(pairs, 1)))
    return str(path)


def test_without_a_release_it_is_one_message(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["draw", "--store", str(tmp_path / "none"), "--turns", __file__])
    assert done.exit_code == 1
    assert "no release is installed" in done.output


def test_readings_are_joined_by_the_key(place: Path) -> None:
    drawn(place)
    (folder,) = (place / "build/judge").iterdir()
    one, other = read(folder, "1.tsv", "sensible", "echo"), read(folder, "2.tsv", "sensible", "off")
    done = CliRunner().invoke(main, ["score", str(folder), one, other])
    assert done.exit_code == 0, done.output
    rows = [line for line in done.output.splitlines() if "reader" in line and "%" in line]
    assert [("100.0% [" in row) for row in rows[1:]] == [True, True, True, False, False, False]
    assert "kappa" in done.output


def test_a_reading_that_lacks_a_turn_names_it(place: Path) -> None:
    drawn(place)
    (folder,) = (place / "build/judge").iterdir()
    one = read(folder, "1.tsv", "sensible", "echo")
    other = folder / "2.tsv"
    other.write_text("1\tsensible\techo\n2\tgood\techo\n")
    done = CliRunner().invoke(main, ["score", str(folder), one, str(other)])
    assert done.exit_code == 1
    assert "wrong: 2, 3, 4" in done.output
    assert "at least two readings" in CliRunner().invoke(main, ["score", str(folder), one]).output


def test_statistics_are_those_of_the_books() -> None:
    low, high = wilson(60, 100)
    assert (round(low, 4), round(high, 4)) == (0.5020, 0.6906)
    assert kappa(["sensible", "off"], ["sensible", "off"]) == 1.0
    assert kappa(["sensible", "sensible", "off", "off"], ["sensible", "off", "sensible", "off"]) == 0.0
