"""One home for all that outlives a command."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from registry.publish.keys import keys_folder
from rejoinder.home import home
from rejoinder.release.trust import Trust
from rejoinder.store.store import Store
from stages.anonymize.pseudonyms import load_key
from stages.validate.drift import accepted_file
from tests.reach import PACKAGES, ROOT

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_where_the_variable_says_nothing_it_lies_in_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJOINDER_HOME", "")
    assert home() == Path(".rejoinder")
    monkeypatch.delenv("REJOINDER_HOME")
    assert home() == Path(".rejoinder")


def test_every_default_follows_the_variable_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REJOINDER_TRUST")
    for root in (tmp_path / "one", tmp_path / "two"):
        monkeypatch.setenv("REJOINDER_HOME", str(root))
        load_key()
        assert (root / "anonymize.key").is_file()
        found = [Store.default().root, Trust.default().root, keys_folder(), accepted_file()]
        assert found == [root / "store", root / "trust", root / "keys", root / "accepted" / "snapshot.json"]


def test_no_other_source_file_knows_where_it_is() -> None:
    named = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and str(node.value).startswith(".rejoinder")
    }
    assert named == {"rejoinder/home.py"}
