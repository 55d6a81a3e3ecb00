"""The remarks bundle, and themes as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rejoinder.errors import BundleError, ConsistencyError, InputError, ProbeError
from rejoinder.parts.opened import open_model, open_release
from rejoinder.parts.remarks import EXAMPLES, REPLIES, THEMES, Remarks
from rejoinder.parts.themes import LAST_RESORT, MAX_CHARS, read_themes
from rejoinder.parts.written_intents import read_intents
from rejoinder.release.manifest import read_manifest
from rejoinder.text import normalize
from tests.bundles import HEADS_DIM, build_whole, pin, reseal
from tests.reach import ROOT
from tests.remarks import THEMES as WRITTEN


@pytest.fixture
def bundles(tmp_path: Path) -> dict[str, Path]:
    return build_whole(tmp_path)


def opened(directory: Path) -> Remarks:
    return Remarks(directory, read_manifest(directory), HEADS_DIM, 32)


def test_what_was_written_is_read(bundles: dict[str, Path]) -> None:
    remarks = opened(bundles["remarks"])
    assert tuple(remarks.themes) == WRITTEN
    assert remarks.numbered(LAST_RESORT) == 2
    vectorizer, _ = open_model(bundles["model"])
    for number, theme in enumerate(WRITTEN[:2]):
        for vector in vectorizer.encode(list(theme.turns)):
            context = remarks.vectors[3 * number]  # the very vector of a reply: it scores 1
            found, fit = remarks.nearest(vector, context)
            assert found == number
            assert fit >= remarks.ranked(number, context)[0][1] + 0.99


def test_several_examples_speak_louder_than_one(tmp_path: Path, bundles: dict[str, Path]) -> None:
    remarks = opened(bundles["remarks"])
    turn = np.eye(1, 32, dtype=np.float32)[0]
    remarks.examples = np.array([[0.9], [0.1], [0.8], [0.8]], np.float32) * turn
    quiet = np.zeros(HEADS_DIM, np.float32)
    theme, fit = remarks.nearest(turn, quiet)
    assert (theme, round(fit, 3)) == (1, 0.8)


def noised(path: Path) -> None:
    array = np.load(path)
    np.save(path, np.random.default_rng(0).standard_normal(array.shape).astype(array.dtype))


@pytest.mark.parametrize("name", [EXAMPLES, REPLIES, "turns.npy"])
def test_vectors_of_another_model_are_refused_though_the_manifest_is_in_order(
    bundles: dict[str, Path], name: str
) -> None:
    noised(bundles["remarks"] / name)
    reseal(bundles["remarks"])
    with pytest.raises(ProbeError, match="remarks'"):
        open_release(pin(bundles))


def test_remarks_of_other_heads_are_refused(bundles: dict[str, Path]) -> None:
    reseal(bundles["remarks"], ties={"heads": "sha256:" + "0" * 64})
    with pytest.raises(ConsistencyError, match="remarks made with heads"):
        open_release(pin(bundles))


@pytest.mark.parametrize(
    ("name", "content"),
    [(THEMES, b'{"theme": "x"}\n'), (THEMES, b"nothing\n"), (EXAMPLES, b"x"), (REPLIES, b"x"), ("turns.npy", b"x")],
)
def test_files_that_are_something_else_are_refused(bundles: dict[str, Path], name: str, content: bytes) -> None:
    (bundles["remarks"] / name).write_bytes(content)
    reseal(bundles["remarks"])
    with pytest.raises(BundleError):
        opened(bundles["remarks"])


@pytest.mark.parametrize(
    "facts", [{"min_fit": "1"}, {"min_fit": True}, {"min_score": float(3)}, {"min_score": None}]
)
def test_facts_that_cannot_be_right_are_refused(bundles: dict[str, Path], facts: dict[str, Any]) -> None:
    reseal(bundles["remarks"], **facts)
    with pytest.raises(ConsistencyError, match="a number from -2 to 2"):
        opened(bundles["remarks"])


GOOD = {"theme": "rain", "turns": ["it rains"], "replies": ["Oh no.", "Stay dry!"], "avoid": "jokes"}


def write(folder: Path, *themes: Any, name: str = "a.yaml") -> Path:
    (folder / name).write_text(yaml.safe_dump(list(themes), allow_unicode=True), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"replys": []},
            "expected the keys avoid, gentle, replies, theme, turns, got avoid, replies, replys, theme, turns",
        ),
        ({"theme": "Rain today"}, "lower-case words joined by hyphens"),
        ({"turns": []}, "turns: expected at least 1, got 0"),
        ({"turns": [True]}, "turns: expected a list of texts"),
        ({"replies": ["Oh no."]}, "replies: expected at least 2, got 1"),
        ({"replies": ["Oh no.", "x" * (MAX_CHARS + 1)]}, "reply 2: expected one line of at most 200 characters"),
        ({"replies": ["Oh no.", "two\nlines"]}, "reply 2: expected one line"),
        ({"replies": ["Oh no.", "oh  NO."]}, "a reply stands in rain and rain"),
    ],
)
def test_a_theme_that_cannot_be_used_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_themes(write(tmp_path, {**GOOD, **changes}))
    assert message in str(caught.value)


def test_all_problems_are_told_at_once_and_no_text(tmp_path: Path) -> None:
    write(tmp_path, GOOD, {**GOOD, "replies": ["Never.", "Secret words."]}, {"theme": "x"})
    write(tmp_path, {**GOOD, "theme": "weather", "replies": ["Ah.", "Well."]}, name="b.yaml")
    (tmp_path / "c.yaml").write_text("- theme: [", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_themes(tmp_path)
    told = str(caught.value)
    for part in (
        "theme rain: stands 2 times",
        "a turn stands in rain and rain and weather",
        "a.yaml, theme 3",
        "c.yaml:1",
    ):
        assert part in told
    assert "it rains" not in told
    assert "Secret" not in told


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one"):
        read_themes(tmp_path)
    with pytest.raises(InputError, match="at least one"):
        read_themes(write(tmp_path, {"theme": LAST_RESORT, "turns": [], "replies": ["Hm.", "Go on."]}))


def test_the_products_remarks_can_be_used_and_know_no_line_of_the_development_set() -> None:
    themes = read_themes(ROOT / "data" / "remarks")
    assert len(themes) >= 150
    assert sum(len(theme.replies) for theme in themes) >= 1300
    assert any(theme.name == LAST_RESORT for theme in themes)
    development = yaml.safe_load((ROOT / "data" / "development" / "dialogues.yaml").read_text(encoding="utf-8"))
    asked = {normalize(turn) for turn in development["turns"]}
    intents = read_intents(ROOT / "data" / "intents", {"name": "Remy"}).intents
    phrases = {normalize(phrase) for intent in intents for phrase in intent.phrases}
    known = phrases | {normalize(turn) for theme in themes for turn in theme.turns}
    assert all(len(turn.split()) <= 3 for turn in asked & known)
