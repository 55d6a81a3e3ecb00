"""Care as people write it: what cannot be used is one error that names files and keys and tells no text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rejoinder.errors import InputError
from rejoinder.parts.care import HELPLINES, OFFENSIVE, SLOT, read_care
from rejoinder.parts.guard import WordList
from tests.reach import ROOT

KIND = {
    "kind": "harm",
    "turns": ["a secret turn"],
    "look_alikes": ["another"],
    "phrases": ["words"],
    "unless": [],
    "first": [f"Here. {SLOT}"],
    "next": ["Still here."],
    "check": ["Are you all right?"],
}
LINES = [{"locale": "en-US", "reviewed": "2026-11-27", "lines": {"harm": "Call."}}]
FINE: dict[str, Any] = {
    "harm.yaml": KIND,
    OFFENSIVE: {"offensive": ["go away"], "acceptable": ["stay"], "words": ["rude"]},
}


def written(folder: Path, **files: Any) -> Path:
    """A folder of care; `files` replaces some by their names without suffix."""
    import datetime

    lines = [{**entry, "reviewed": datetime.date.fromisoformat(entry["reviewed"])} for entry in LINES]  # type: ignore[arg-type]
    found = {**FINE, HELPLINES: lines, **{f"{name}.yaml": value for name, value in files.items()}}
    for name, value in found.items():
        if value is not None:
            (folder / name).write_text(value if isinstance(value, str) else yaml.safe_dump(value), encoding="utf-8")
    return folder


def test_a_folder_is_read(tmp_path: Path) -> None:
    care = read_care(written(tmp_path), "en-US")
    assert [kind.kind for kind in care.kinds] == ["harm"]
    assert care.helplines[0].lines == {"harm": "Call."}


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"harm": {**KIND, "turns": []}}, "harm.yaml: turns: expected at least one, got none"),
        ({"harm": {**KIND, "first": ["a {name}"]}}, "first 1: expected no slot but"),
        ({"harm": {**KIND, "next": ["x" * 500]}}, "next 1: expected one line of at most"),
        ({"harm": {**KIND, "check": []}}, "harm.yaml: check: expected at least one, got none"),
        ({"harm": {**KIND, "more": 1}}, "expected the keys kind, turns"),
        ({"harm": {**KIND, "phrases": [True]}}, "phrases: expected a list of texts"),
        ({"harm": "- ["}, "harm.yaml:1: expected YAML"),
        (
            {"harm": {**KIND, "look_alikes": ["A  secret turn"]}},
            "a text stands in harm, turns and in harm, look_alikes",
        ),
        ({"helplines": []}, "expected the locale en-US that guard.locale names, got none"),
        (
            {"helplines": [{"locale": "en-US", "reviewed": "soon", "lines": {"harm": "x"}}]},
            "reviewed: expected a date",
        ),
        ({"offensive": None}, "offensive.yaml: expected the keys"),
        ({"harm": None}, "no kind of sensitive turn"),
    ],
)
def test_what_cannot_be_used_is_one_error(tmp_path: Path, files: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError) as caught:
        read_care(written(tmp_path, **files), "en-US")
    assert named in str(caught.value)
    assert "secret turn" not in str(caught.value)


def test_a_kind_whose_script_names_a_helpline_needs_one_in_every_locale(tmp_path: Path) -> None:
    import datetime

    lines = [
        {"locale": name, "reviewed": datetime.date(2026, 11, 27), "lines": found}
        for name, found in (("en-US", {"harm": "Call."}), ("en-GB", {"other": "Ring."}))
    ]
    with pytest.raises(InputError, match=r"helplines\.yaml, en-GB: expected a line for harm, got none"):
        read_care(written(tmp_path, helplines=lines), "en-US")


def test_the_products_care_can_be_used_in_every_locale() -> None:
    care = read_care(ROOT / "data" / "care", "en-US")
    assert {"self-harm", "abuse", "violence", "medical", "minors"} <= {kind.kind for kind in care.kinds}
    for entry in care.helplines:
        read_care(ROOT / "data" / "care", entry.locale)


def test_no_look_alike_of_the_product_is_on_a_list() -> None:
    care = read_care(ROOT / "data" / "care", "en-US")
    found = [
        (number, kind.kind)
        for kind in care.kinds
        for number, text in enumerate(text for other in care.kinds for text in other.look_alikes)
        if WordList(kind.phrases, kind.unless).holds(text)
    ]
    assert found == []


def test_a_list_finds_words_in_a_row_however_they_are_typed() -> None:
    listed = WordList(["dont want to live", "kms", "suicid*"], ["* kms", "suicide squad"])
    for text in ("I don\u2019t want to LIVE!", "dont   want, to live", "kms", "suicidal thoughts", "suicide"):
        assert listed.holds(text), text
    for text in ("i dont want to livestream", "5 kms away", "want to live", "suicide squad is a film", ""):
        assert not listed.holds(text), text
    assert not WordList([]).holds("anything")
