"""`rejoinder remarks check`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from click.testing import CliRunner

from registry.cli import main
from rejoinder.store.store import Store
from tests.bundles import build_whole, pin, put_in_store

RAIN = {"theme": "rain", "turns": ["i love rain", "we love rain"], "replies": ["Oh.", "Ah."], "avoid": ""}


def asked(folder: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["remarks", "check", str(folder), *words])
    return done.exit_code, done.output


def write(folder: Path, *themes: Mapping[str, object]) -> None:
    (folder / "themes.yaml").write_text(yaml.safe_dump(list(themes)))


def test_without_a_release_keys_and_lengths_are_checked(tmp_path: Path) -> None:
    write(tmp_path, RAIN)
    code, told = asked(tmp_path)
    assert code == 0
    assert "1 themes, 2 example turns, 2 replies" in told
    assert "no release is installed" in told
    write(tmp_path, RAIN, RAIN)
    code, told = asked(tmp_path)
    assert code == 1
    assert "theme rain: stands 2 times" in told


def test_with_a_release_themes_that_overlap_and_those_that_never_win_are_named(tmp_path: Path) -> None:
    put_in_store(Store(tmp_path / "store"), pin(build_whole(tmp_path / "bundles")))
    themes = tmp_path / "themes"
    themes.mkdir()
    near = [f"i {verb} rain" for verb in ("like", "miss", "want", "know")]
    weather = {**RAIN, "theme": "weather", "turns": near, "replies": ["Uh.", "Er."]}
    pizza = {**RAIN, "theme": "pizza", "turns": ["they want pizza", "they like pizza"], "replies": ["Mm.", "Hm."]}
    write(themes, RAIN, weather, pizza)
    (tmp_path / "asked.txt").write_text("we love rain\n\ni like rain\n")
    code, told = asked(themes, "--store", str(tmp_path / "store"), "--turns", str(tmp_path / "asked.txt"))
    assert code == 0
    assert "of 3 themes, 2 turns come nearest to 2; to these, none: pizza" in told
